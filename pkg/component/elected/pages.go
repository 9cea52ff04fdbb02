// SPDX-License-Identifier: Apache-2.0

package elected

import (
	"k8s.io/apiserver/pkg/server/flagz"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/statusz"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/metrics/prometheus/slis"
	zpagesfeatures "k8s.io/component-base/zpages/features"

	"github.com/khw-controller/khw-controller/pkg/component/metrics"
)

// InstallPages adds the pages that every component has: metrics and the z-pages.
// It comes last: /statusz lists the others. flags may be nil.
func (r *Replica) InstallPages(m *mux.PathRecorderMux, flags flagz.Reader, version basecompatibility.EffectiveVersion) {
	name := string(r.config.Component)
	m.Handle(metrics.Path, metrics.Page(r.config.Component))
	slis.SLIMetricsWithReset{}.Install(m)
	if utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentFlagz) && flags != nil {
		flagz.Install(m, name, flags)
	}
	if utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentStatusz) {
		statusz.Install(m, name, statusz.NewRegistry(version, statusz.WithListedPaths(m.ListedPaths())))
	}
}
