// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"sigs.k8s.io/yaml"
)

// API versions of the scheduler's configuration: the lab's and today's.
const (
	schedulerV1Alpha1 = "componentconfig/v1alpha1"
	schedulerV1       = "kubescheduler.config.k8s.io/v1"
	schedulerKind     = "KubeSchedulerConfiguration"
)

// fields is one level of a configuration document.
type fields = map[string]any

// SchedulerConfig returns the configuration for today's scheduler as YAML. file
// is what kube-scheduler.yaml holds: the lab's componentconfig/v1alpha1, which
// is converted, or today's form; nil stands for the lab's. flags are the
// scheduler's own client flags, which beat the file, and fallback those that
// hold where the file sets nothing. notices are lines for the user.
func SchedulerConfig(file []byte, flags, fallback map[string]string) (out []byte, notices []string, err error) {
	doc := fields{"apiVersion": schedulerV1, "kind": schedulerKind}
	if len(bytes.TrimSpace(file)) > 0 {
		doc = fields{}
		if err := yaml.UnmarshalStrict(file, &doc); err != nil {
			return nil, nil, err
		}
	}
	if kind := doc["kind"]; kind != schedulerKind {
		return nil, nil, fmt.Errorf("kind is %v, want %s", kind, schedulerKind)
	}
	switch version := doc["apiVersion"]; version {
	case schedulerV1:
	case schedulerV1Alpha1:
		if doc, notices, err = convertV1Alpha1(doc); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, fmt.Errorf("apiVersion is %v, want %s or the lab's %s", version, schedulerV1, schedulerV1Alpha1)
	}
	if err := setClient(doc, flags, fallback); err != nil {
		return nil, nil, err
	}
	out, err = yaml.Marshal(doc)
	return out, notices, err
}

// clientKeys are the keys of clientConnection behind the scheduler's flags.
var clientKeys = map[string]string{
	"kubeconfig": "kubeconfig", "kube-api-qps": "qps", "kube-api-burst": "burst", "kube-api-content-type": "contentType",
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
		if client[clientKeys[flag]] != nil {
			continue
		}
		if err := setClientKey(client, flag, value); err != nil {
			return err
		}
	}
	for flag, value := range flags {
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
