// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// watchRelease sends on released whenever the lease is seen without a holder,
// until ctx ends. The elector alone would look again only after up to 4.4 s (its
// retry period of 2 s, jittered by 1.2), which is longer than a handover should
// take. Both components' RBAC roles allow this watch of their own lease.
func watchRelease(ctx context.Context, client kubernetes.Interface, namespace, name string, released chan<- struct{}) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		}))
	notify := func(obj any) {
		lease, ok := obj.(*coordinationv1.Lease)
		if !ok || lease.Name != name || (lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "") {
			return
		}
		select {
		case released <- struct{}{}:
		default:
		}
	}
	// The only error is that of a stopped informer, and this one is new.
	_, _ = factory.Coordination().V1().Leases().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    notify,
		UpdateFunc: func(_, obj any) { notify(obj) },
	})
	factory.Start(ctx.Done())
	<-ctx.Done()
	factory.Shutdown()
}
