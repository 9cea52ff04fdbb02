// SPDX-License-Identifier: Apache-2.0

// Package metrics splits the metrics of one process by component. All components
// register with one registry, so each of their ports would show the series of
// all; here, each shows its own, and the process's are shown once.
package metrics

import (
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Path is where a component shows its metrics.
const Path = "/metrics"

// Page returns the metrics page of a component. A DELETE resets what can be
// reset, of all components, as on the stock pages.
func Page(owner lab.Component) http.Handler {
	page := metrics.HandlerFor(gatherer(owner), metrics.HandlerOpts{})
	reset := legacyregistry.HandlerWithReset()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			reset.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// gatherer gathers the series of one component.
type gatherer lab.Component

// Gather implements metrics.Gatherer.
func (g gatherer) Gather() ([]*dto.MetricFamily, error) {
	all, err := legacyregistry.DefaultGatherer.Gather()
	return ownedBy(lab.Component(g), all), err
}

// ownedBy returns the families of owner; of a family that several components
// share, only owner's series.
func ownedBy(owner lab.Component, all []*dto.MetricFamily) []*dto.MetricFamily {
	var owned []*dto.MetricFamily
	for _, family := range all {
		label, isShared := ownerLabel(family.GetName())
		if !isShared {
			if familyOwner(family.GetName()) == owner {
				owned = append(owned, family)
			}
			continue
		}
		var series []*dto.Metric
		for _, m := range family.GetMetric() {
			if seriesOwner(family.GetName(), value(m, label)) == owner {
				series = append(series, m)
			}
		}
		if len(series) > 0 {
			owned = append(owned, &dto.MetricFamily{Name: family.Name, Help: family.Help, Type: family.Type, Unit: family.Unit, Metric: series})
		}
	}
	return owned
}

func value(m *dto.Metric, label string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == label {
			return l.GetValue()
		}
	}
	return ""
}
