// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	schedulerGroup = "kubescheduler.config.k8s.io"
	schedulerV1    = schedulerGroup + "/v1" // today's
	schedulerKind  = "KubeSchedulerConfiguration"
)

const policiesRemoved = "scheduler policies were removed in v1.23; describe predicates and priorities as plugins of a profile (" + schedulerV1 + ")"

// fields is one level of a configuration document.
type fields = map[string]any

// SchedulerConfig returns the configuration for today's scheduler as YAML. file
// is what kube-scheduler.yaml holds: an old version, such as the lab's, which is
// converted, or today's form; nil stands for the lab's. flags are those of the
// scheduler that it ignores beside a file, which beat it here ([IsInSchedulerConfig]),
// and fallback those that hold where the file sets nothing. notices are lines for the
// user.
func SchedulerConfig(file []byte, flags, fallback map[string]string) (out []byte, notices []string, err error) {
	doc := fields{"apiVersion": schedulerV1, "kind": schedulerKind}
	if len(bytes.TrimSpace(file)) > 0 {
		doc = fields{}
		if err := yaml.UnmarshalStrict(file, &doc); err != nil {
			return nil, nil, err
		}
	}
	if doc, notices, err = currentSchedulerConfig(doc); err != nil {
		return nil, nil, err
	}
	if err := setClient(doc, flags, fallback); err != nil {
		return nil, nil, err
	}
	if err := setDebugging(doc, flags, fallback); err != nil {
		return nil, nil, err
	}
	out, err = yaml.Marshal(doc)
	return out, notices, err
}

// currentSchedulerConfig returns a document in today's version.
func currentSchedulerConfig(doc fields) (out fields, notices []string, err error) {
	switch kind := doc["kind"]; kind {
	case schedulerKind:
	case "Policy":
		return nil, nil, errors.New("kind is Policy, which cannot be honoured, " + policiesRemoved)
	default:
		return nil, nil, fmt.Errorf("kind is %v, want %s", kind, schedulerKind)
	}
	version, _ := doc["apiVersion"].(string)
	if version == schedulerV1 {
		return doc, nil, nil
	}
	from := slices.Index(oldSchedulerVersions, version)
	if from < 0 {
		return nil, nil, fmt.Errorf("apiVersion is %v, want %s, or one of %s", doc["apiVersion"], schedulerV1, strings.Join(oldSchedulerVersions, ", "))
	}
	return convertSchedulerConfig(schedulerVersion(from), doc)
}

// clientKeys are the keys of clientConnection behind the scheduler's flags.
var clientKeys = map[string]string{
	"kubeconfig": "kubeconfig", "kube-api-qps": "qps", "kube-api-burst": "burst", "kube-api-content-type": "contentType",
}

// debuggingKeys are the keys of the document behind the scheduler's flags.
var debuggingKeys = map[string]string{"profiling": "enableProfiling", "contention-profiling": "enableContentionProfiling"}

// IsInSchedulerConfig reports whether a flag of the scheduler is one that it ignores
// beside --config, and that its configuration has a key for
// (cmd/kube-scheduler/app/options/deprecated.go, AddFlags).
func IsInSchedulerConfig(flag string) bool {
	return clientKeys[flag] != "" || debuggingKeys[flag] != ""
}

// setDebugging sets what the document has of debuggingKeys.
func setDebugging(doc fields, flags, fallback map[string]string) error {
	for flag, key := range debuggingKeys {
		value, beats := flags[flag]
		if !beats {
			if value = fallback[flag]; value == "" || doc[key] != nil {
				continue
			}
		}
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("--%s=%s: want true or false", flag, value)
		}
		doc[key] = on
	}
	return nil
}

// ClientLimits are the flags that raise the scheduler's client-side rate limits,
// as the added flags of the controller-manager do.
func ClientLimits() map[string]string {
	return map[string]string{"kube-api-qps": clientQPS, "kube-api-burst": clientBurst}
}

func setClient(doc fields, flags, fallback map[string]string) error {
	client, err := section(doc, "clientConnection")
	if err != nil {
		return err
	}
	for flag, value := range fallback {
		if clientKeys[flag] == "" || client[clientKeys[flag]] != nil {
			continue
		}
		if err := setClientKey(client, flag, value); err != nil {
			return err
		}
	}
	for flag, value := range flags {
		if clientKeys[flag] == "" {
			continue
		}
		if err := setClientKey(client, flag, value); err != nil {
			return err
		}
	}
	if len(client) > 0 {
		doc["clientConnection"] = client
	}
	return nil
}

func setClientKey(client fields, flag, value string) error {
	key := clientKeys[flag]
	if key != "qps" && key != "burst" {
		client[key] = value
		return nil
	}
	if _, err := strconv.ParseFloat(value, 32); err != nil {
		return fmt.Errorf("--%s=%s: want a number", flag, value)
	}
	client[key] = json.Number(value)
	return nil
}

// section returns the map under key; an empty one when there is none.
func section(doc fields, key string) (fields, error) {
	switch v := doc[key].(type) {
	case nil:
		return fields{}, nil
	case fields:
		return v, nil
	default:
		return nil, fmt.Errorf("%s is not a map", key)
	}
}
