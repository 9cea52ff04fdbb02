// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var unfinished = metrics.NewGauge(&metrics.GaugeOpts{
	Namespace: "khw", Subsystem: "encryption", Name: "rotation_unfinished",
	Help:           "Whether a rotation of the encryption key has begun and has not ended.",
	StabilityLevel: metrics.ALPHA,
})

func init() {
	legacyregistry.MustRegister(unfinished)
}
