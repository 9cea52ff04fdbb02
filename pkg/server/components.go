// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/khw-controller/khw-controller/pkg/bootstrap"
	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/component/scheduler"
	"github.com/khw-controller/khw-controller/pkg/defrag"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/snapshot"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Names of the components that are not the lab's three.
const (
	etcdName        = "etcd" // the embedded member
	bootstrapName   = "bootstrap"
	snapshotsName   = "snapshots"
	defragName      = "defrag"
	healthProxyName = "health-proxy"
	preflightName   = "preflight" // in a start that has to wait
)

func newSchedule(p *plan.Plan, a *apiserver.Server) *snapshot.Schedule {
	remote := p.SnapshotRemote()
	return &snapshot.Schedule{
		Etcd: p.EtcdAccess, Dir: p.Path(paths.Snapshots), Interval: p.Config.SnapshotInterval, Keep: p.Config.SnapshotKeep,
		Remote: remote,
		Tell: func(ctx context.Context, text string) error {
			return recordWarning(ctx, a.LoopbackClient, remote.Node, "SnapshotNotCopied", text)
		},
	}
}

func newBootstrap(p *plan.Plan, a *apiserver.Server, process election.Process) *bootstrap.Bootstrap {
	return bootstrap.New(bootstrap.Config{
		Client:                   a.LoopbackClient,
		KubeletClientCertificate: p.KubeletClient.Cert.Path,
		ManifestsDir:             p.Path(paths.Manifests),
		Process:                  process,
	})
}

// components lists what the plan runs, with what each needs, and whose leases there
// are. member is nil where etcd is not embedded; notReady is why health checks are
// answered with no whatever the apiserver says, or returns "", d is how a stop is taken
// notice of, and process is this one.
func components(p *plan.Plan, member *etcd.Member, a *apiserver.Server, b *bootstrap.Bootstrap, process election.Process, notReady func() healthz.Verdict, d *departure) ([]supervisor.Component, []leaseOf) {
	restarted := func(r supervisor.Runner) supervisor.Runner {
		return supervisor.WithRestart(r, supervisor.DefaultBackoff)
	}
	var all []supervisor.Component
	var apiServerNeeds []string
	if member != nil {
		apiServerNeeds = []string{etcdName}
		all = append(all, supervisor.Component{Name: etcdName, Critical: true, Runner: member})
	}
	needsAPIServer := []string{string(lab.APIServer)}
	manager, sched := controllermanager.New(p.ControllerManager, a.InProcess), scheduler.New(p.Scheduler, a.InProcess)
	manager.Process, sched.Process = process, process
	leases := []leaseOf{{string(lab.ControllerManager), &manager.Lease}, {string(lab.Scheduler), &sched.Lease}}
	all = append(all,
		supervisor.Component{Name: string(lab.APIServer), Critical: true, Needs: apiServerNeeds, Runner: &departing{a, d}},
		supervisor.Component{Name: string(lab.ControllerManager), Needs: needsAPIServer, Runner: restarted(manager)},
		supervisor.Component{Name: string(lab.Scheduler), Needs: needsAPIServer, Runner: restarted(sched)},
		supervisor.Component{Name: bootstrapName, Accessory: true, Needs: needsAPIServer, Runner: restarted(b)},
	)
	if p.Config.SnapshotInterval > 0 {
		all = append(all, supervisor.Component{Name: snapshotsName, Accessory: true, Needs: needsAPIServer, Runner: restarted(newSchedule(p, a))})
	}
	if member != nil && p.Config.DefragInterval > 0 {
		all = append(all, supervisor.Component{
			Name: defragName, Accessory: true, Needs: needsAPIServer,
			Runner: restarted(&defrag.Schedule{Etcd: p.EtcdAccess, Interval: p.Config.DefragInterval}),
		})
	}
	if p.Config.HealthzBindAddress != "" {
		var others []string
		for _, c := range all {
			others = append(others, c.Name)
		}
		all = append(all, supervisor.Component{
			Name: healthProxyName, Accessory: true, Outlives: others, Runner: restarted(newHealthProxy(p, a.HealthToken(), notReady, d.checkers)),
		})
	}
	return all, leases
}
