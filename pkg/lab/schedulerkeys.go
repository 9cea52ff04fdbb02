// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// leaveOut notes that a key is not taken over.
func (c *schedulerConversion) leaveOut(key, why string) {
	c.notices = append(c.notices, fmt.Sprintf("scheduler configuration: %s is left out: %s", key, why))
}

func leftOut(why string) func(*schedulerConversion, string, any) error {
	return func(c *schedulerConversion, key string, _ any) error {
		c.leaveOut(key, why)
		return nil
	}
}

func (c *schedulerConversion) keep(key string, value any) error {
	c.out[key] = value
	return nil
}

func (c *schedulerConversion) client(key string, value any) (err error) {
	c.out[key], err = only(key, value, "kubeconfig", "acceptContentTypes", "contentType", "qps", "burst")
	return err
}

// leaderElection has had the lock's names under two keys each.
func (c *schedulerConversion) leaderElection(key string, value any) error {
	known := []string{"leaderElect", "leaseDuration", "renewDeadline", "retryPeriod", "resourceLock"}
	if c.from > componentConfigV1Alpha1 {
		known = append(known, "resourceNamespace", "resourceName")
	}
	if c.from <= v1Alpha1 {
		known = append(known, "lockObjectNamespace", "lockObjectName")
	}
	le, err := only(key, value, known...)
	if err != nil {
		return err
	}
	if lock, ok := le["resourceLock"]; ok && lock != leaseLock {
		c.leaveOut(fmt.Sprintf("leaderElection.resourceLock: %v", lock), "leases are the only lock since v1.24")
		delete(le, "resourceLock")
	}
	for before, now := range map[string]string{"lockObjectNamespace": "resourceNamespace", "lockObjectName": "resourceName"} {
		v := le[before]
		delete(le, before)
		if v == nil || v == "" {
			continue
		}
		if other := le[now]; other != nil && other != "" && other != v {
			return fmt.Errorf("leaderElection.%s is %v and leaderElection.%s is %v, and they are one; remove one", before, v, now, other)
		}
		le[now] = v
	}
	c.out[key] = le
	return nil
}

// algorithm accepts providers, the default one and the one that packs nodes:
// policies are gone.
func (c *schedulerConversion) algorithm(key string, value any) error {
	source, err := only(key, value, "provider", "policy")
	if err != nil {
		return err
	}
	if source["policy"] != nil {
		return errors.New("algorithmSource.policy cannot be honoured, " + policiesRemoved)
	}
	switch p := source["provider"]; p {
	case nil, "", "DefaultProvider":
		return nil
	case "ClusterAutoscalerProvider":
		return c.eachProfile(func(p *profile) error {
			return p.setArg(key, resourcesFit, "scoringStrategy", fields{"type": mostAllocated})
		})
	default:
		return fmt.Errorf("algorithmSource.provider: %v has no counterpart in %s; describe it as a profile", p, schedulerV1)
	}
}

func (c *schedulerConversion) bindTimeout(key string, value any) error {
	return c.eachProfile(func(p *profile) error { return p.setArg(key, "VolumeBinding", "bindTimeoutSeconds", value) })
}

func (c *schedulerConversion) hardPodAffinity(key string, value any) error {
	return c.eachProfile(func(p *profile) error { return p.setArg(key, "InterPodAffinity", "hardPodAffinityWeight", value) })
}

// preemption is a plugin of its own since v1.19.
func (c *schedulerConversion) preemption(key string, value any) error {
	switch value {
	case false:
		return nil
	case true:
		return c.eachProfile(func(p *profile) error { return p.disable("postFilter", "DefaultPreemption") })
	}
	return fmt.Errorf("%s is %v; want true or false", key, value)
}

// extenders had two keys spelled otherwise in v1alpha2, which had them from the
// policy file.
func (c *schedulerConversion) extenders(key string, value any) error {
	all, err := list(key, value)
	if err != nil {
		return err
	}
	out := make([]any, 0, len(all))
	for i, e := range all {
		at := fmt.Sprintf("%s[%d]", key, i)
		old, ok := e.(fields)
		if !ok {
			return fmt.Errorf("%s is not a map", at)
		}
		extender := maps.Clone(old)
		if c.from == v1Alpha2 {
			if err := modernExtender(at, extender); err != nil {
				return err
			}
		}
		out = append(out, extender)
	}
	c.out[key] = out
	return nil
}

func modernExtender(at string, extender fields) error {
	if https, ok := extender["enableHttps"]; ok {
		extender["enableHTTPS"] = https
		delete(extender, "enableHttps")
	}
	switch timeout := extender["httpTimeout"].(type) {
	case nil:
	case float64:
		extender["httpTimeout"] = time.Duration(timeout).String()
	default:
		return fmt.Errorf("%s.httpTimeout is %v; in %s it is a number of nanoseconds", at, timeout, v1Alpha2)
	}
	return nil
}

// only returns a copy of a map after checking that it has no other keys than the
// known ones.
func only(key string, value any, known ...string) (fields, error) {
	s, ok := value.(fields)
	if !ok {
		return nil, fmt.Errorf("%s is not a map", key)
	}
	out := fields{}
	for _, k := range slices.Sorted(maps.Keys(s)) {
		if !slices.Contains(known, k) {
			return nil, fmt.Errorf("unknown key %s.%s; it has %s", key, k, strings.Join(known, ", "))
		}
		if s[k] != nil {
			out[k] = s[k]
		}
	}
	return out, nil
}
