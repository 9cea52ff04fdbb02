// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"maps"
	"slices"
)

const (
	resourcesFit   = "NodeResourcesFit"
	leastAllocated = "LeastAllocated"
	mostAllocated  = "MostAllocated"
	capacityRatio  = "RequestedToCapacityRatio"
)

// strategies are the plugins that became a scoringStrategy of NodeResourcesFit in
// v1beta2. The first of them was on by default.
var strategies = map[string]string{
	"NodeResourcesLeastAllocated": leastAllocated,
	"NodeResourcesMostAllocated":  mostAllocated,
	capacityRatio:                 capacityRatio,
}

// strategy is what a profile says about them.
type strategy struct {
	on       string            // the one that is enabled
	leastOff bool              // whether the default one is disabled
	args     map[string]fields // by scoringStrategy
}

// pluginArgs converts the arguments of plugins.
func (c *schedulerConversion) pluginArgs(p *profile, key string, value any, s *strategy) error {
	all, err := list(key, value)
	if err != nil {
		return err
	}
	var out []any
	for i, e := range all {
		at := fmt.Sprintf("%s[%d]", key, i)
		entry, err := only(at, e, "name", "args")
		if err != nil {
			return err
		}
		args, err := currentArgs(at, entry)
		if err != nil {
			return err
		}
		name, _ := entry["name"].(string)
		if gone, ok := removedPlugins[name]; ok {
			c.leaveOut(at+": "+name, "it was removed in "+gone.release+", "+gone.why)
			continue
		}
		if kind, ok := strategies[name]; ok {
			s.args[kind] = args
			continue
		}
		out = append(out, entry)
	}
	if out != nil {
		p.fields["pluginConfig"] = out
	}
	return nil
}

// currentArgs gives the arguments of a plugin, if there are any, today's version.
func currentArgs(at string, entry fields) (fields, error) {
	if entry["args"] == nil {
		return fields{}, nil
	}
	old, ok := entry["args"].(fields)
	if !ok {
		return nil, fmt.Errorf("%s.args is not a map", at)
	}
	args := maps.Clone(old)
	if version, _ := args["apiVersion"].(string); slices.Contains(oldSchedulerVersions, version) {
		args["apiVersion"] = schedulerV1
	}
	// The type was List unless it was set; it is System today.
	if constraints, _ := args["defaultConstraints"].([]any); len(constraints) > 0 && args["defaultingType"] == nil {
		args["defaultingType"] = "List"
	}
	entry["args"] = args
	return args, nil
}

// setScoring makes the arguments of NodeResourcesFit from those of the plugins
// that it took over.
func (c *schedulerConversion) setScoring(p *profile, key string, s *strategy) error {
	kind := s.on
	if kind == "" && !s.leastOff {
		kind = leastAllocated
	}
	for _, other := range slices.Sorted(maps.Keys(s.args)) {
		if other != kind {
			c.leaveOut(fmt.Sprintf("%s of %s", key, other), "the plugin is not on")
		}
	}
	args := s.args[kind]
	if args == nil && (kind == "" || kind == leastAllocated) {
		return nil // the default
	}
	scoring := fields{"type": kind}
	if args["resources"] != nil {
		scoring["resources"] = args["resources"]
	}
	if kind == capacityRatio {
		scoring["requestedToCapacityRatio"] = fields{"shape": args["shape"]}
	}
	return p.setArg(key, resourcesFit, "scoringStrategy", scoring)
}
