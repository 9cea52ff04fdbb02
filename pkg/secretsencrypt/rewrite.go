// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// served is a resource that the apiserver stores.
type served struct {
	schema.GroupVersionResource
	kind schema.GroupVersionKind
}

// servedResources lists the resources for which covers, in the version that the
// apiserver prefers. A group of which nothing is known now, since it is another
// server's, is not stored here.
func servedResources(client discovery.DiscoveryInterface, covers func(schema.GroupResource) bool) ([]served, error) {
	lists, err := discovery.ServerPreferredResources(client)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, err
	}
	var all []served
	for _, l := range lists {
		gv, err := schema.ParseGroupVersion(l.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range l.APIResources {
			gvr := gv.WithResource(r.Name)
			rewritable := !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "patch")
			if rewritable && covers(gvr.GroupResource()) {
				all = append(all, served{gvr, gv.WithKind(r.Kind)})
			}
		}
	}
	return all, nil
}

// rewritePage is how many objects are listed at once.
const rewritePage = 500

// failure is an object that could not be rewritten.
type failure struct {
	object string
	err    error
}

// rewrite has every object of a resource written anew, as Kubernetes' own storage
// version migration does it (pkg/controller/storageversionmigrator): by a patch that
// changes nothing, on which the apiserver writes what is stored with another key than
// the first. What is in the objects never leaves the apiserver. One that was changed
// or deleted since it was listed needs nothing any more. each is called for each
// object, with about how many there are; what fails is returned, and the others are
// rewritten.
func rewrite(ctx context.Context, client metadata.Interface, r served, each func(total int)) (failed []failure, err error) {
	options := metav1.ListOptions{Limit: rewritePage}
	total := 0
	for {
		list, err := client.Resource(r.GroupVersionResource).List(ctx, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" {
			// The list is older than etcd remembers: from the start, where nothing is left
			// to do for what was rewritten.
			options.Continue = ""
			continue
		}
		if err != nil {
			return failed, fmt.Errorf("listing %s: %w", r.GroupResource(), err)
		}
		if options.Continue == "" {
			total = len(list.Items) + int(ptr.Deref(list.RemainingItemCount, 0))
		}
		for _, o := range list.Items {
			if err := touch(ctx, client, r, o.ObjectMeta); err != nil {
				if ctx.Err() != nil {
					return failed, ctx.Err()
				}
				failed = append(failed, failure{strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"), err})
			}
			each(total)
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return failed, nil
		}
	}
}

// patience is for an apiserver that has trouble for a moment.
var patience = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 8, Cap: 5 * time.Second}

// touch has one object written anew.
func touch(ctx context.Context, client metadata.Interface, r served, o metav1.ObjectMeta) error {
	patch, err := json.Marshal(map[string]any{
		"apiVersion": r.kind.GroupVersion().String(), "kind": r.kind.Kind,
		"metadata": map[string]any{"uid": o.UID, "resourceVersion": o.ResourceVersion},
	})
	if err != nil {
		return err
	}
	var last error
	err = wait.ExponentialBackoffWithContext(ctx, patience, func(ctx context.Context) (bool, error) {
		_, last = client.Resource(r.GroupVersionResource).Namespace(o.Namespace).Patch(ctx, o.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: Name})
		switch {
		case last == nil, apierrors.IsConflict(last), apierrors.IsNotFound(last):
			last = nil
			return true, nil
		case mayPass(last):
			return false, nil
		}
		return false, last
	})
	if last != nil {
		return last
	}
	return err
}

// mayPass reports whether a request that failed may work in a moment.
func mayPass(err error) bool {
	if apierrors.IsInternalError(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) {
		return true
	}
	reason, _ := connerr.Explain(err)
	return reason.MayPass() || utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err)
}
