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
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// etcdName is the embedded member's name among the components.
const etcdName = "etcd"

// bootstrapName is the bootstrap's name among the components.
const bootstrapName = "bootstrap"

// manifestsDir is where manifests are that are applied with the lab's RBAC.
const manifestsDir = "/etc/kubernetes/manifests.d"

// parts are components that are asked for more than to run.
type parts struct {
	apiServer *apiserver.Server
	bootstrap *bootstrap.Bootstrap
}

func (p *Plan) newParts() parts {
	server := apiserver.New(p.apiServer)
	return parts{server, bootstrap.New(bootstrap.Config{
		Client:                   server.LoopbackClient,
		KubeletClientCertificate: lab.Get(p.Settings[lab.APIServer], "kubelet-client-certificate"),
		ManifestsDir:             p.Config.Path(manifestsDir),
	})}
}

// components lists what the plan runs, with what each needs. held is why health
// checks are answered with no, or returns "".
func (p *Plan) components(made parts, i *isolation, held func() healthz.Verdict) []supervisor.Component {
	var all []supervisor.Component
	var apiServerNeeds []string
	if p.Etcd != nil {
		apiServerNeeds = []string{etcdName}
		all = append(all, supervisor.Component{
			Name: etcdName, Critical: true,
			Runner: etcd.New(p.Etcd, func(reason string) { i.die("etcd: " + reason) }),
		})
	}
	all = append(all,
		supervisor.Component{
			Name: string(lab.APIServer), Critical: true, Needs: apiServerNeeds,
			Runner: made.apiServer,
		},
		supervisor.Component{
			Name: string(lab.ControllerManager), Needs: []string{string(lab.APIServer)},
			Runner: supervisor.WithRestart(controllermanager.New(p.controllerManager), supervisor.DefaultBackoff),
		},
		supervisor.Component{
			Name: string(lab.Scheduler), Needs: []string{string(lab.APIServer)},
			Runner: supervisor.WithRestart(scheduler.New(p.scheduler), supervisor.DefaultBackoff),
		},
		supervisor.Component{
			Name: bootstrapName, Accessory: true, Needs: []string{string(lab.APIServer)},
			Runner: supervisor.WithRestart(made.bootstrap, supervisor.DefaultBackoff),
		},
	)
	if p.Config.HealthzBindAddress != "" {
		var others []string
		for _, c := range all {
			others = append(others, c.Name)
		}
		all = append(all, supervisor.Component{
			Name: healthProxyName, Accessory: true, Outlives: others,
			Runner: supervisor.WithRestart(&healthProxy{
				listen:  p.listenForHealthChecks,
				backend: p.backendAddress(),
				caFile:  p.Files.CA,
				held:    held,
			}, supervisor.DefaultBackoff),
		})
	}
	return all
}
