// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// The controller's own series, on the apiserver's page.
var (
	componentUp       = componentDesc("component_up", "Whether a component is up and works.")
	componentLeading  = componentDesc("component_leading", "Whether a component holds its leader lease.")
	componentRestarts = componentDesc("component_restarts_total", "How often a component was started again after a failure.")
	certificateExpiry = prometheus.NewDesc("khw_certificate_expiration_timestamp_seconds",
		"When a certificate that the controller uses expires, in seconds since 1970.", []string{"path"}, nil)
)

func componentDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("khw_"+name, help, []string{"component"}, nil)
}

// Describe implements prometheus.Collector.
func (o *observer) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{componentUp, componentLeading, componentRestarts, certificateExpiry} {
		ch <- d
	}
}

// Collect implements prometheus.Collector with what is known already.
func (o *observer) Collect(ch chan<- prometheus.Metric) {
	for _, c := range o.statuses() {
		ch <- prometheus.MustNewConstMetric(componentUp, prometheus.GaugeValue, boolValue(c.State.Up() && c.Unhealthy == ""), c.Component)
		ch <- prometheus.MustNewConstMetric(componentLeading, prometheus.GaugeValue, boolValue(c.State == supervisor.Leading), c.Component)
		ch <- prometheus.MustNewConstMetric(componentRestarts, prometheus.CounterValue, float64(c.Restarts), c.Component)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.certificates {
		ch <- prometheus.MustNewConstMetric(certificateExpiry, prometheus.GaugeValue, float64(c.NotAfter.Unix()), c.Path)
	}
}

// boolValue is how a metric says yes or no.
func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
