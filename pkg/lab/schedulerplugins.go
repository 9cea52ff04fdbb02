// SPDX-License-Identifier: Apache-2.0

package lab

import "fmt"

// removedPlugin is a scheduler plugin that this Kubernetes does not have.
type removedPlugin struct {
	release string
	// refused reports whether pods would be placed otherwise without it.
	refused bool
	why     string
}

const (
	limitsGone = "NodeVolumeLimits counts the volumes of every driver"
	spreadGone = "PodTopologySpread spreads the pods of a service by default"
)

var removedPlugins = map[string]removedPlugin{
	"AzureDiskLimits":          {"v1.32", false, limitsGone},
	"CinderLimits":             {"v1.32", false, limitsGone},
	"DefaultPodTopologySpread": {"v1.19", false, spreadGone},
	"EBSLimits":                {"v1.32", false, limitsGone},
	"GCEPDLimits":              {"v1.32", false, limitsGone},
	"NodeLabel":                {"v1.23", true, "use NodeAffinity with addedAffinity"},
	"NodePreferAvoidPods":      {"v1.23", false, "taint nodes with the effect PreferNoSchedule instead of annotating them"},
	"NodeResourceLimits":       {"v1.19", true, "use NodeResourcesFit with a scoringStrategy"},
	"SelectorSpread":           {"v1.29", false, spreadGone},
	"ServiceAffinity":          {"v1.23", true, "use inter-pod affinity in the pods, or PodTopologySpread with defaultConstraints"},
}

// pluginSet converts the plugins of one extension point.
func (c *schedulerConversion) pluginSet(at string, set fields, s *strategy) (fields, error) {
	out := fields{}
	for _, key := range []string{"enabled", "disabled"} { // in this order: what is off depends on what is on
		plugins, err := list(at+"."+key, set[key])
		if err != nil {
			return nil, err
		}
		var kept []any
		for i, value := range plugins {
			item := fmt.Sprintf("%s.%s[%d]", at, key, i)
			plugin, err := only(item, value, "name", "weight")
			if err != nil {
				return nil, err
			}
			keep := false
			if key == "enabled" {
				keep, err = c.enable(item, plugin, s)
			} else {
				keep = disable(plugin, s)
			}
			if err != nil {
				return nil, err
			}
			if keep {
				kept = append(kept, plugin)
			}
		}
		if kept != nil {
			out[key] = kept
		}
	}
	return out, nil
}

// enable converts a plugin that is on; keep reports whether it is one today.
func (c *schedulerConversion) enable(item string, plugin fields, s *strategy) (keep bool, err error) {
	name, _ := plugin["name"].(string)
	if kind, ok := strategies[name]; ok {
		if s.on != "" {
			return false, fmt.Errorf("%s: %s and %s cannot both be on, they are scoringStrategies of %s since v1.22; remove one", item, s.on, kind, resourcesFit)
		}
		s.on, plugin["name"] = kind, resourcesFit
		return true, nil
	}
	gone, ok := removedPlugins[name]
	switch {
	case !ok:
		return true, nil
	case gone.refused:
		return false, fmt.Errorf("%s: the plugin %s cannot be honoured, it was removed in %s: %s", item, name, gone.release, gone.why)
	}
	c.leaveOut(item+": "+name, "it was removed in "+gone.release+", "+gone.why)
	return false, nil
}

// disable converts a plugin that is off; keep reports whether it still has to be
// turned off. A plugin that is gone is off.
func disable(plugin fields, s *strategy) (keep bool) {
	name, _ := plugin["name"].(string)
	kind, ok := strategies[name]
	switch {
	case name == "*":
		s.leastOff = true
		return true
	case ok && kind != leastAllocated:
		return false
	case ok:
		s.leastOff, plugin["name"] = true, resourcesFit
		return s.on == ""
	}
	_, gone := removedPlugins[name]
	return !gone
}
