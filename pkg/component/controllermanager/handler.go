// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"k8s.io/apiserver/pkg/server/mux"
	basecompatibility "k8s.io/component-base/compatibility"
	genericcontrollermanager "k8s.io/controller-manager/app"
	controllerhealthz "k8s.io/controller-manager/pkg/healthz"

	"github.com/khw-controller/khw-controller/pkg/component/metrics"
)

// newMux returns the stock pages of the secure port
// (cmd/kube-controller-manager/app/controllermanager.go, Run) for one term.
// Controllers add their checks to the returned health handler, and their debug
// pages to the mux.
func (r *replica) newMux() (*mux.PathRecorderMux, *controllerhealthz.MutableHealthzHandler) {
	health := controllerhealthz.NewMutableHealthzHandler(r.HealthChecks()...)
	m := genericcontrollermanager.NewBaseHandler(&r.config.ComponentConfig.Generic.Debugging, health)
	m.Unregister(metrics.Path)
	r.InstallPages(m, r.config.Flagz, r.config.ComponentGlobalsRegistry.EffectiveVersionFor(basecompatibility.DefaultKubeComponent))
	return m, health
}

// standBy serves the pages of a replica that does not lead.
func (r *replica) standBy() {
	m, _ := r.newMux()
	r.Serve(m)
}
