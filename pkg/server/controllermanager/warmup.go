// SPDX-License-Identifier: Apache-2.0

package controllermanager

import "context"

// warmUp starts the informers of what grows with a cluster, so that a standby
// takes over with full caches. A stock standby's are cold: at 5,000 nodes,
// filling them is the failover. The rest is small and starts with the
// controllers.
func (n *term) warmUp(ctx context.Context) {
	f := n.context.InformerFactory
	f.Apps().V1().Deployments().Informer()
	f.Apps().V1().ReplicaSets().Informer()
	f.Apps().V1().DaemonSets().Informer()
	f.Apps().V1().StatefulSets().Informer()
	f.Apps().V1().ControllerRevisions().Informer()
	f.Batch().V1().Jobs().Informer()
	f.Batch().V1().CronJobs().Informer()
	f.Coordination().V1().Leases().Informer()
	f.Core().V1().ConfigMaps().Informer()
	f.Core().V1().Endpoints().Informer()
	f.Core().V1().Namespaces().Informer()
	f.Core().V1().Nodes().Informer()
	f.Core().V1().PersistentVolumeClaims().Informer()
	f.Core().V1().PersistentVolumes().Informer()
	f.Core().V1().Pods().Informer()
	f.Core().V1().ReplicationControllers().Informer()
	f.Core().V1().Secrets().Informer()
	f.Core().V1().ServiceAccounts().Informer()
	f.Core().V1().Services().Informer()
	f.Discovery().V1().EndpointSlices().Informer()
	f.Policy().V1().PodDisruptionBudgets().Informer()
	f.Storage().V1().VolumeAttachments().Informer()
	f.Start(ctx.Done())
}
