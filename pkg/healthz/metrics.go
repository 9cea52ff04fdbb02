// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	requests = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: "khw", Subsystem: "healthz", Name: "answers_total",
		Help:           "Health checks answered over plain HTTP, by the word of the answer.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"answer"})
	probes = metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: "khw", Subsystem: "healthz", Name: "probes_total",
		Help:           "Questions put to the apiserver for health checks, by path and verdict.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"path", "verdict"})
)

func init() {
	legacyregistry.MustRegister(requests, probes)
}
