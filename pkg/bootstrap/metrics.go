// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	applied = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: "khw", Subsystem: "bootstrap", Name: "objects_total",
		Help:           "Objects that were to be applied, by outcome: created, changed, unchanged, protected or failed.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"outcome"})
	putBack = metrics.NewCounter(&metrics.CounterOpts{
		Namespace: "khw", Subsystem: "bootstrap", Name: "put_back_total",
		Help:           "Objects that somebody had changed or deleted, and that were put back.",
		StabilityLevel: metrics.ALPHA,
	})
	skipped = metrics.NewGauge(&metrics.GaugeOpts{
		Namespace: "khw", Subsystem: "bootstrap", Name: "skipped_files",
		Help:           "Manifests that could not be read and were skipped.",
		StabilityLevel: metrics.ALPHA,
	})
)

func init() {
	legacyregistry.MustRegister(applied, putBack, skipped)
}
