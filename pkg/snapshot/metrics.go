// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var (
	failedCopies = metrics.NewCounter(&metrics.CounterOpts{
		Namespace: "khw", Subsystem: "snapshot", Name: "copy_failures_total",
		Help:           "How often snapshots of etcd could not be copied into the bucket.",
		StabilityLevel: metrics.ALPHA,
	})
	lastSaved = metrics.NewGauge(&metrics.GaugeOpts{
		Namespace: "khw", Subsystem: "snapshot", Name: "last_save_timestamp_seconds",
		Help:           "When the newest scheduled snapshot of etcd on this machine was saved, in seconds since 1970; 0 for none.",
		StabilityLevel: metrics.ALPHA,
	})
	due = metrics.NewGauge(&metrics.GaugeOpts{
		Namespace: "khw", Subsystem: "snapshot", Name: "due_timestamp_seconds",
		Help:           "When the next scheduled snapshot of etcd is due, in seconds since 1970: in the past while none can be saved, 0 without a schedule.",
		StabilityLevel: metrics.ALPHA,
	})
	lastCopied = metrics.NewGauge(&metrics.GaugeOpts{
		Namespace: "khw", Subsystem: "snapshot", Name: "last_copy_timestamp_seconds",
		Help:           "When a snapshot of etcd was last copied into the bucket, in seconds since 1970.",
		StabilityLevel: metrics.ALPHA,
	})
)

func init() {
	legacyregistry.MustRegister(failedCopies, lastCopied, lastSaved, due)
}
