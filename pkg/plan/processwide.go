// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// shared are the component flags that hold for the whole process whichever
// component they are given to: klog has one configuration.
var shared = []string{"v", "vmodule", "logging-format", "log-flush-frequency",
	"log-json-info-buffer-size", "log-json-split-stream", "log-text-info-buffer-size", "log-text-split-stream"}

const featureGates = "feature-gates"

// versions are which release the process behaves like, and which releases it is to get
// on with.
var versions = []string{"emulated-version", "min-compatibility-version"}

// IsProcessWide reports whether a component's flag holds for the whole process.
func IsProcessWide(name string) bool {
	return name == featureGates || slices.Contains(shared, name) || slices.Contains(versions, name)
}

// processWide returns each component's overrides with the process-wide ones
// among them made the same everywhere. Two different values for one of them are
// an error: the last one would silently win.
func processWide(c *config.Config) (map[lab.Component][]lab.Override, error) {
	out := map[lab.Component][]lab.Override{}
	for _, component := range lab.Components() {
		out[component] = slices.DeleteFunc(slices.Clone(c.Args[component]), func(o lab.Override) bool {
			return IsProcessWide(o.Name)
		})
	}
	for _, name := range shared {
		value, err := requestedValue(c, name)
		if err != nil {
			return nil, err
		}
		override := processOverride(name, value)
		if value == "" {
			var ok bool
			if override, ok = unset(c, name); !ok {
				continue
			}
		}
		for _, component := range lab.Components() {
			out[component] = append(out[component], override)
		}
	}
	// The components' registry of versions and gates is one; it must be told once.
	for _, name := range versions {
		value, err := requestedValue(c, name)
		if err != nil {
			return nil, err
		}
		if value != "" {
			out[lab.APIServer] = append(out[lab.APIServer], processOverride(name, value))
		}
	}
	gates, err := requestedGates(c)
	if err != nil {
		return nil, err
	}
	if gates != "" {
		out[lab.APIServer] = append(out[lab.APIServer], processOverride(featureGates, gates))
	}
	return out, nil
}

// ProcessWide is the source of a flag that holds for every component.
const ProcessWide = "process-wide"

func processOverride(name, value string) lab.Override {
	return lab.Override{Arg: lab.Arg{Name: name, Value: value, HasValue: true}, Source: ProcessWide}
}

// unset returns the override that gives a flag up, if one of the components'
// flags does; what one gives up, all do.
func unset(c *config.Config, name string) (lab.Override, bool) {
	for _, component := range lab.Components() {
		for _, o := range slices.Backward(c.Args[component]) {
			if o.Name == name && o.Unset {
				return o, true
			}
		}
	}
	return lab.Override{}, false
}

// request is one value for a process-wide flag and how the user wrote it.
type request struct{ shown, value string }

// requests lists what is requested for a flag, the command's own key first. Of each
// component, only the last counts, as it would in a process of its own.
func requests(c *config.Config, name string) []request {
	var all []request
	own := map[string]string{"v": c.Verbosity, "logging-format": c.LoggingFormat, featureGates: c.FeatureGates}
	if own[name] != "" {
		all = append(all, request{"--" + name + "=" + own[name], own[name]})
	}
	for _, component := range lab.Components() {
		last := request{}
		for _, o := range c.Args[component] {
			if o.Name == name {
				last = request{fmt.Sprintf("--%s-arg %s=%s", component, name, o.Value), o.Value}
			}
		}
		if last.value != "" {
			all = append(all, last)
		}
	}
	return all
}

func requestedValue(c *config.Config, name string) (string, error) {
	all := requests(c, name)
	if len(all) == 0 {
		return "", nil
	}
	for _, r := range all[1:] {
		if r.value != all[0].value {
			return "", fmt.Errorf("%s and %s disagree, but it holds for the whole process; set it once", all[0].shown, r.shown)
		}
	}
	return all[0].value, nil
}

func requestedGates(c *config.Config) (string, error) {
	by := map[string]request{} // gate → who set it to what
	for _, r := range requests(c, featureGates) {
		for _, pair := range strings.Split(r.value, ",") {
			gate, value, ok := strings.Cut(pair, "=")
			if !ok {
				return "", fmt.Errorf("%s: %q is not name=true or name=false", r.shown, pair)
			}
			if before, ok := by[gate]; ok && before.value != value {
				return "", fmt.Errorf("%s and %s disagree on %s, but feature gates hold for the whole process; set it once", before.shown, r.shown, gate)
			}
			by[gate] = request{r.shown, value}
		}
	}
	var pairs []string
	for _, gate := range slices.Sorted(maps.Keys(by)) {
		pairs = append(pairs, gate+"="+by[gate].value)
	}
	return strings.Join(pairs, ","), nil
}
