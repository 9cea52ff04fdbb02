// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	"github.com/khw-controller/khw-controller/pkg/webhook"
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

// How often is tried, and for how long, as upstream has it but for the sleep before
// (pkg/registry/rbac/rest/storage_rbac.go, EnsureRBACPolicy).
const (
	hookPoll    = time.Second
	hookTimeout = 30 * time.Second
)

// slowAfter is how long a start waits for its objects before it looks for admission
// webhooks.
const slowAfter = 3 * time.Second

// until tries until it succeeds. A start waits for no admission webhook, though: one
// whose service is gone or hangs refuses what is missing for as long as it is
// configured, and an apiserver is needed to change that. Upstream's hooks end the process
// then. What is missing is for the leader of khw-bootstrap to make and to tell of
// (docs/decisions/0022-webhooks.md).
func (e ensure) until(ctx context.Context, client kubernetes.Interface) error {
	result := make(chan error, 1)
	go func() { result <- e.poll(ctx, client) }()
	look := time.NewTicker(slowAfter)
	defer look.Stop()
	for {
		select {
		case err := <-result:
			if name, refused := refusedBy(err); name != "" {
				klog.FromContext(ctx).Info("An admission webhook refuses default objects; the start goes on, and they are made when it accepts them", "webhook", name, "objects", len(refused), "first", refused[0])
				return nil
			}
			return err
		case <-look.C:
		}
		if configured := webhooks(ctx, client); len(configured) > 0 {
			klog.FromContext(ctx).Info("Default objects are not made yet, which an admission webhook that hangs may be the reason of; the start goes on without", "webhooks", configured)
			return nil
		}
	}
}

// poll tries until it succeeds, or an admission webhook is why it does not.
func (e ensure) poll(ctx context.Context, client kubernetes.Interface) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, hookPoll, hookTimeout, true, func(ctx context.Context) (bool, error) {
		if last = e(ctx, client); last == nil {
			return true, nil
		}
		if name, _ := refusedBy(last); name != "" {
			return true, nil // it goes on refusing
		}
		klog.FromContext(ctx).Info("Default objects cannot be made yet", "err", last)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return last
}

// refusedBy returns which admission webhook is why err's objects were not made, and the
// refusals; no name where another reason is among them.
func refusedBy(err error) (name string, refused []error) {
	if err == nil {
		return "", nil
	}
	refused = []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		refused = joined.Unwrap()
	}
	for _, each := range refused {
		if name = webhook.Refusing(each.Error()); name == "" {
			return "", nil
		}
	}
	return name, refused
}

// webhooks returns the names of the admission webhooks that there are; none where that
// cannot be told soon, as without etcd. A new cluster, which needs its roles to begin
// with, has none.
func webhooks(ctx context.Context, client kubernetes.Interface) []string {
	ctx, cancel := context.WithTimeout(ctx, slowAfter)
	defer cancel()
	configured, err := webhook.Configurations(ctx, client)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(configured))
}
