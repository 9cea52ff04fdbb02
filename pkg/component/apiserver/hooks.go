// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controlplane"
	rbacrest "k8s.io/kubernetes/pkg/registry/rbac/rest"
	schedulingrest "k8s.io/kubernetes/pkg/registry/scheduling/rest"

	"github.com/khw-controller/khw-controller/pkg/defaults"
)

// ensure makes what a cluster has to have, or returns why it could not be made yet.
type ensure func(context.Context, kubernetes.Interface) error

// replaceHooks takes two hooks out of the start that begin with a second of sleep and
// make their objects one after the other, and returns, by their names, what does the
// same work at once (docs/decisions/0012-start-hooks.md).
func replaceHooks(config *controlplane.Config) map[string]ensure {
	own := map[string]ensure{}
	resources := config.ControlPlane.APIResourceConfigSource
	if resources.AnyResourceForGroupEnabled(rbacv1.GroupName) {
		own[rbacrest.PostStartHookName] = defaults.EnsureRoles
	}
	if resources.ResourceEnabled(schedulingv1.SchemeGroupVersion.WithResource("priorityclasses")) {
		own[schedulingrest.PostStartHookName] = defaults.EnsurePriorityClasses
	}
	// A set of its own: the one that is there is that of the other servers too, and the
	// aggregator is to have ours.
	generic := config.ControlPlane.Generic
	disabled := generic.DisabledPostStartHooks.Union(nil)
	for name := range own {
		disabled.Insert(name)
	}
	generic.DisabledPostStartHooks = disabled
	return own
}

// addHooks adds them to a server, which is not ready before they have succeeded, and
// ends when one of them does not.
func addHooks(server *genericapiserver.GenericAPIServer, hooks map[string]ensure) error {
	for name, e := range hooks {
		err := server.AddPostStartHook(name, func(hook genericapiserver.PostStartHookContext) error {
			client, err := kubernetes.NewForConfig(unlimited(hook.LoopbackClientConfig))
			if err != nil {
				return err
			}
			return e.until(hook, client)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unlimited is a client's configuration for work that is bounded by itself.
func unlimited(config *restclient.Config) *restclient.Config {
	config = restclient.CopyConfig(config)
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	return config
}

// How often is tried, and for how long, as upstream has it but for the sleep before.
const (
	hookPoll    = time.Second
	hookTimeout = 30 * time.Second
)

// until tries until it succeeds.
func (e ensure) until(ctx context.Context, client kubernetes.Interface) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, hookPoll, hookTimeout, true, func(ctx context.Context) (bool, error) {
		if last = e(ctx, client); last != nil {
			klog.FromContext(ctx).Info("Default objects cannot be made yet", "err", last)
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}
