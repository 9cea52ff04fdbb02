// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"slices"
	"strings"
)

// convertV1Alpha1 turns the scheduler configuration of Kubernetes v1.10
// (pkg/apis/componentconfig/v1alpha1/types.go there) into today's. What has no
// counterpart and no effect is left out with a notice; what cannot be honoured
// is an error.
func convertV1Alpha1(doc fields) (out fields, notices []string, err error) {
	out = fields{"apiVersion": schedulerV1, "kind": schedulerKind}
	leftOut := func(key, why string) {
		notices = append(notices, fmt.Sprintf("scheduler configuration: %s is left out: %s", key, why))
	}
	keys := make([]string, 0, len(doc))
	for key := range doc {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		switch value := doc[key]; key {
		case "apiVersion", "kind":
		case "clientConnection":
			if out[key], err = only(doc, key, "kubeconfig", "acceptContentTypes", "contentType", "qps", "burst"); err != nil {
				return nil, nil, err
			}
		case "leaderElection":
			if out[key], err = convertLeaderElection(doc, leftOut); err != nil {
				return nil, nil, err
			}
		case "enableProfiling", "enableContentionProfiling":
			out[key] = value
		case "schedulerName":
			out["profiles"] = []any{fields{"schedulerName": value}}
		case "healthzBindAddress", "metricsBindAddress":
			leftOut(key, "the scheduler serves both on its HTTPS port; see --bind-address and --secure-port")
		case "hardPodAffinitySymmetricWeight":
			leftOut(key, "set hardPodAffinityWeight of the InterPodAffinity plugin in a profile")
		case "failureDomains":
			leftOut(key, "topology keys are given by each pod")
		case "disablePreemption":
			if value == true {
				return nil, nil, fmt.Errorf("disablePreemption: true has no counterpart in %s; disable the DefaultPreemption plugin in a profile", schedulerV1)
			}
		case "algorithmSource":
			if err := checkAlgorithm(doc); err != nil {
				return nil, nil, err
			}
		default:
			return nil, nil, fmt.Errorf("unknown key %s in %s", key, schedulerV1Alpha1)
		}
	}
	return out, notices, nil
}

func convertLeaderElection(doc fields, leftOut func(key, why string)) (fields, error) {
	le, err := only(doc, "leaderElection", "leaderElect", "leaseDuration", "renewDeadline", "retryPeriod",
		"resourceLock", "lockObjectNamespace", "lockObjectName")
	if err != nil {
		return nil, err
	}
	if lock, ok := le["resourceLock"]; ok && lock != "leases" {
		leftOut(fmt.Sprintf("leaderElection.resourceLock: %v", lock), "leases are the only lock since v1.24")
		delete(le, "resourceLock")
	}
	for before, now := range map[string]string{"lockObjectNamespace": "resourceNamespace", "lockObjectName": "resourceName"} {
		if v, ok := le[before]; ok {
			le[now] = v
			delete(le, before)
		}
	}
	return le, nil
}

// checkAlgorithm accepts the default provider only: policies are gone.
func checkAlgorithm(doc fields) error {
	source, err := only(doc, "algorithmSource", "provider", "policy")
	if err != nil {
		return err
	}
	if p := source["provider"]; source["policy"] != nil || (p != nil && p != "DefaultProvider") {
		return fmt.Errorf("algorithmSource has no counterpart in %s but for provider DefaultProvider; describe it as a profile", schedulerV1)
	}
	return nil
}

// only returns a copy of the map under key after checking that it has no other
// keys than the known ones.
func only(doc fields, key string, known ...string) (fields, error) {
	s, err := section(doc, key)
	if err != nil {
		return nil, err
	}
	out := fields{}
	for k, v := range s {
		if !slices.Contains(known, k) {
			return nil, fmt.Errorf("unknown key %s.%s; it has %s", key, k, strings.Join(known, ", "))
		}
		out[k] = v
	}
	return out, nil
}
