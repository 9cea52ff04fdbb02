// SPDX-License-Identifier: Apache-2.0

package election

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var handover = metrics.NewHistogramVec(&metrics.HistogramOpts{
	Namespace: "khw", Subsystem: "leader", Name: "handover_seconds",
	Help:           "How long nobody led, from the last leader's last renewal or its release, by its clock, to the moment this one led, by lease.",
	Buckets:        []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60},
	StabilityLevel: metrics.ALPHA,
}, []string{"lease"})

var lateRenewals = metrics.NewCounterVec(&metrics.CounterOpts{
	Namespace: "khw", Subsystem: "leader", Name: "late_renewals_total",
	Help:           "Renewals that came when half of the time was over in which a lease is lost, and losses, by lease.",
	StabilityLevel: metrics.ALPHA,
}, []string{"lease"})

func init() {
	legacyregistry.MustRegister(handover, lateRenewals)
}
