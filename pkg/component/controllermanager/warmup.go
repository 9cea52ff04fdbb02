// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers/apps"
	"k8s.io/client-go/informers/batch"
	"k8s.io/client-go/informers/coordination"
	"k8s.io/client-go/informers/core"
	"k8s.io/client-go/informers/discovery"
	"k8s.io/client-go/informers/policy"
	"k8s.io/client-go/informers/storage"
)

// warmUp starts the informers of what grows with a cluster, so that a standby
// takes over with full caches. A stock standby's are cold: at 5,000 nodes,
// filling them is the failover. The rest is small and starts with the
// controllers. The handlers of all of them are deferred.
func (t *term) warmUp(ctx context.Context) {
	f := deferringFactory{SharedInformerFactory: t.context.InformerFactory, handlers: t.handlers}
	apps := apps.New(f, metav1.NamespaceAll, nil).V1()
	apps.Deployments().Informer()
	apps.ReplicaSets().Informer()
	apps.DaemonSets().Informer()
	apps.StatefulSets().Informer()
	apps.ControllerRevisions().Informer()
	batch := batch.New(f, metav1.NamespaceAll, nil).V1()
	batch.Jobs().Informer()
	batch.CronJobs().Informer()
	coordination.New(f, metav1.NamespaceAll, nil).V1().Leases().Informer()
	core := core.New(f, metav1.NamespaceAll, nil).V1()
	core.ConfigMaps().Informer()
	core.Endpoints().Informer()
	core.Namespaces().Informer()
	core.Nodes().Informer()
	core.PersistentVolumeClaims().Informer()
	core.PersistentVolumes().Informer()
	core.Pods().Informer()
	core.ReplicationControllers().Informer()
	core.Secrets().Informer()
	core.ServiceAccounts().Informer()
	core.Services().Informer()
	discovery.New(f, metav1.NamespaceAll, nil).V1().EndpointSlices().Informer()
	policy.New(f, metav1.NamespaceAll, nil).V1().PodDisruptionBudgets().Informer()
	storage.New(f, metav1.NamespaceAll, nil).V1().VolumeAttachments().Informer()
	t.context.InformerFactory.Start(ctx.Done())
}
