// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/khw-controller/khw-controller/pkg/bootstrap"
	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/component/scheduler"
	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Names of the components that are not the lab's three.
const (
	etcdName        = "etcd" // the embedded member
	bootstrapName   = "bootstrap"
	healthProxyName = "health-proxy"
)

func newBootstrap(p *plan.Plan, a *apiserver.Server) *bootstrap.Bootstrap {
	return bootstrap.New(bootstrap.Config{
		Client:                   a.LoopbackClient,
		KubeletClientCertificate: p.KubeletClient.Cert.Path,
		ManifestsDir:             p.Path(paths.Manifests),
	})
}

// components lists what the plan runs, with what each needs. fatal is called when
// etcd cannot go on, and does not return; notReady is why health checks are
// answered with no whatever the apiserver says, or returns "".
func components(p *plan.Plan, a *apiserver.Server, b *bootstrap.Bootstrap, fatal func(reason string), notReady func() healthz.Verdict) []supervisor.Component {
	restarted := func(r supervisor.Runner) supervisor.Runner {
		return supervisor.WithRestart(r, supervisor.DefaultBackoff)
	}
	var all []supervisor.Component
	var apiServerNeeds []string
	if p.Etcd != nil {
		apiServerNeeds = []string{etcdName}
		all = append(all, supervisor.Component{
			Name: etcdName, Critical: true,
			Runner: etcd.New(p.Etcd, func(reason string) { fatal("etcd: " + reason) }),
		})
	}
	needsAPIServer := []string{string(lab.APIServer)}
	all = append(all,
		supervisor.Component{Name: string(lab.APIServer), Critical: true, Needs: apiServerNeeds, Runner: a},
		supervisor.Component{Name: string(lab.ControllerManager), Needs: needsAPIServer, Runner: restarted(controllermanager.New(p.ControllerManager))},
		supervisor.Component{Name: string(lab.Scheduler), Needs: needsAPIServer, Runner: restarted(scheduler.New(p.Scheduler))},
		supervisor.Component{Name: bootstrapName, Accessory: true, Needs: needsAPIServer, Runner: restarted(b)},
	)
	if p.Config.HealthzBindAddress != "" {
		var others []string
		for _, c := range all {
			others = append(others, c.Name)
		}
		all = append(all, supervisor.Component{
			Name: healthProxyName, Accessory: true, Outlives: others, Runner: restarted(newHealthProxy(p, a.HealthToken(), notReady)),
		})
	}
	return all
}
