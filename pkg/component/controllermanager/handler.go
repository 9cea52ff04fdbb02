// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"k8s.io/apiserver/pkg/server/flagz"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/statusz"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/metrics/prometheus/slis"
	zpagesfeatures "k8s.io/component-base/zpages/features"
	genericcontrollermanager "k8s.io/controller-manager/app"
	controllerhealthz "k8s.io/controller-manager/pkg/healthz"

	"github.com/khw-controller/khw-controller/pkg/component/metrics"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// newMux returns the stock pages of the secure port
// (cmd/kube-controller-manager/app/controllermanager.go, Run) for one term.
// Controllers add their checks to the returned health handler, and their debug
// pages to the mux.
func (t *candidate) newMux() (*mux.PathRecorderMux, *controllerhealthz.MutableHealthzHandler) {
	var checks []healthz.HealthChecker
	if t.config.ComponentConfig.Generic.LeaderElection.LeaderElect {
		checks = append(checks, t.watchdog)
	}
	health := controllerhealthz.NewMutableHealthzHandler(checks...)
	m := genericcontrollermanager.NewBaseHandler(&t.config.ComponentConfig.Generic.Debugging, health)
	m.Unregister(metrics.Path)
	m.Handle(metrics.Path, metrics.Page(lab.ControllerManager))
	slis.SLIMetricsWithReset{}.Install(m)
	if utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentFlagz) && t.config.Flagz != nil {
		flagz.Install(m, string(lab.ControllerManager), t.config.Flagz)
	}
	if utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentStatusz) {
		statusz.Install(m, string(lab.ControllerManager), statusz.NewRegistry(
			t.config.ComponentGlobalsRegistry.EffectiveVersionFor(basecompatibility.DefaultKubeComponent),
			statusz.WithListedPaths(m.ListedPaths()),
		))
	}
	return m, health
}

// standBy serves the pages of a replica that does not lead.
func (t *candidate) standBy() {
	m, _ := t.newMux()
	t.handler.Set(m)
}
