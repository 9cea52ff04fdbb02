// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/khw-controller/khw-controller/pkg/bootstrap"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/server/apiserver"
	"github.com/khw-controller/khw-controller/pkg/server/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/server/etcd"
	"github.com/khw-controller/khw-controller/pkg/server/scheduler"
	"github.com/khw-controller/khw-controller/pkg/server/supervisor"
)

// etcdName is the embedded member's name among the components.
const etcdName = "etcd"

// bootstrapName is the bootstrap's name among the components.
const bootstrapName = "bootstrap"

// manifestsDir is where manifests are that are applied with the lab's RBAC.
const manifestsDir = "/etc/kubernetes/manifests.d"

// components lists what the plan runs, with what each needs. held is why health
// checks are answered with no, or returns "".
func (p *Plan) components(i *isolation, apiServer *apiserver.Server, held func() string) []supervisor.Component {
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
			Runner: apiServer,
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
			Name: bootstrapName, Needs: []string{string(lab.APIServer)},
			Runner: supervisor.WithRestart(bootstrap.New(bootstrap.Config{
				Client:                   apiServer.LoopbackClient,
				KubeletClientCertificate: lab.Get(p.Settings[lab.APIServer], "kubelet-client-certificate"),
				ManifestsDir:             p.Config.Path(manifestsDir),
			}), supervisor.DefaultBackoff),
		},
	)
	if p.Config.HealthzBindAddress != "" {
		all = append(all, supervisor.Component{
			Name: healthProxyName,
			Runner: supervisor.WithRestart(&healthProxy{
				address: p.Config.HealthzBindAddress,
				backend: p.backendAddress(),
				caFile:  p.Files.CA,
				held:    held,
			}, supervisor.DefaultBackoff),
		})
	}
	return all
}
