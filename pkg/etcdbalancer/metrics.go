// SPDX-License-Identifier: Apache-2.0

package etcdbalancer

import (
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var answers = metrics.NewGaugeVec(&metrics.GaugeOpts{
	Namespace: "khw", Subsystem: "etcd", Name: "member_answers",
	Help:           "1 for a member of an external etcd that the apiserver asks, 0 for one that is left out because it does not answer while others do.",
	StabilityLevel: metrics.ALPHA,
}, []string{"endpoint"})

func init() { legacyregistry.MustRegister(answers) }
