// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"maps"
	"slices"
)

// schedulerVersion is an API version of the scheduler's configuration before
// today's. The types are those of k8s.io/kube-scheduler/config in the releases
// named here.
type schedulerVersion int

const (
	componentConfigV1Alpha1 schedulerVersion = iota // v1.10 and v1.11, the lab's
	v1Alpha1                                        // v1.12 to v1.18
	v1Alpha2                                        // v1.18
	v1Beta1                                         // v1.19 to v1.22
	v1Beta2                                         // v1.22 to v1.27
	v1Beta3                                         // v1.23 to v1.28
)

// oldSchedulerVersions are their names.
var oldSchedulerVersions = []string{
	componentConfigV1Alpha1: "componentconfig/v1alpha1",
	v1Alpha1:                schedulerGroup + "/v1alpha1",
	v1Alpha2:                schedulerGroup + "/v1alpha2",
	v1Beta1:                 schedulerGroup + "/v1beta1",
	v1Beta2:                 schedulerGroup + "/v1beta2",
	v1Beta3:                 schedulerGroup + "/v1beta3",
}

func (v schedulerVersion) String() string { return oldSchedulerVersions[v] }

// schedulerKey is a top-level key of the old versions from first to last.
type schedulerKey struct {
	first, last schedulerVersion
	convert     func(c *schedulerConversion, key string, value any) error
}

// schedulerKeys are all of them. What makes a profile is read first, by profiles.
var schedulerKeys = map[string]schedulerKey{
	"algorithmSource":                {componentConfigV1Alpha1, v1Alpha1, (*schedulerConversion).algorithm},
	"bindTimeoutSeconds":             {v1Alpha1, v1Alpha2, (*schedulerConversion).bindTimeout},
	"clientConnection":               {componentConfigV1Alpha1, v1Beta3, (*schedulerConversion).client},
	"disablePreemption":              {componentConfigV1Alpha1, v1Alpha2, (*schedulerConversion).preemption},
	"enableContentionProfiling":      {componentConfigV1Alpha1, v1Beta3, (*schedulerConversion).keep},
	"enableProfiling":                {componentConfigV1Alpha1, v1Beta3, (*schedulerConversion).keep},
	"extenders":                      {v1Alpha2, v1Beta3, (*schedulerConversion).extenders},
	"failureDomains":                 {componentConfigV1Alpha1, v1Alpha1, leftOut("topology keys are named by each pod")},
	"hardPodAffinitySymmetricWeight": {componentConfigV1Alpha1, v1Alpha1, (*schedulerConversion).hardPodAffinity},
	"healthzBindAddress":             {componentConfigV1Alpha1, v1Beta2, leftOut("the scheduler serves it on its HTTPS port; see --bind-address and --secure-port")},
	"leaderElection":                 {componentConfigV1Alpha1, v1Beta3, (*schedulerConversion).leaderElection},
	"metricsBindAddress":             {componentConfigV1Alpha1, v1Beta2, leftOut("the scheduler serves them on its HTTPS port; see --bind-address and --secure-port")},
	"parallelism":                    {v1Beta2, v1Beta3, (*schedulerConversion).keep},
	"percentageOfNodesToScore":       {v1Alpha1, v1Beta3, (*schedulerConversion).keep},
	"pluginConfig":                   {v1Alpha1, v1Alpha1, nil},
	"plugins":                        {v1Alpha1, v1Alpha1, nil},
	"podInitialBackoffSeconds":       {v1Alpha1, v1Beta3, (*schedulerConversion).keep},
	"podMaxBackoffSeconds":           {v1Alpha1, v1Beta3, (*schedulerConversion).keep},
	"profiles":                       {v1Alpha2, v1Beta3, nil},
	"schedulerName":                  {componentConfigV1Alpha1, v1Alpha1, nil},
}

// schedulerConversion is the conversion of one document.
type schedulerConversion struct {
	from     schedulerVersion
	out      fields
	profiles []fields
	notices  []string
}

// convertSchedulerConfig turns a configuration of an old version into today's.
// What has no counterpart and no effect is left out with a notice; what cannot
// be honoured is an error that names the key.
func convertSchedulerConfig(from schedulerVersion, doc fields) (out fields, notices []string, err error) {
	c := &schedulerConversion{from: from, out: fields{"apiVersion": schedulerV1, "kind": schedulerKind}}
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(doc)), func(key string) bool {
		return key == "apiVersion" || key == "kind" || doc[key] == nil
	})
	for _, key := range keys {
		if k, ok := schedulerKeys[key]; !ok || from < k.first || from > k.last {
			return nil, nil, fmt.Errorf("unknown key %s in %s", key, from)
		}
	}
	if err := c.readProfiles(doc); err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		convert := schedulerKeys[key].convert
		if convert == nil {
			continue
		}
		if err := convert(c, key, doc[key]); err != nil {
			return nil, nil, err
		}
	}
	if len(c.profiles) > 0 {
		c.out["profiles"] = c.profiles
	}
	return c.out, c.notices, nil
}
