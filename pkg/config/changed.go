// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// verbosity is the one setting that a running process takes over: the key, and
// the flag of each component that means the same.
const verbosity = "v"

// remember keeps what a key was set to: every value of a list, the last of any
// other.
func (c *Config) remember(a assignment) {
	if c.requested == nil {
		c.requested = map[string][]string{}
	}
	if !a.key.List {
		c.requested[a.key.Name] = nil
	}
	c.requested[a.key.Name] = append(c.requested[a.key.Name], a.value)
}

// Changed returns the keys that differ between two configurations and that a
// running process does not take over, in the order of the documentation.
func Changed(before, after *Config) []string {
	var names []string
	for _, k := range Keys() {
		if k.Name != verbosity && !slices.Equal(before.lasting(k), after.lasting(k)) {
			names = append(names, k.Name)
		}
	}
	return names
}

// lasting returns what a key is set to, without verbosity among the flags of a
// component.
func (c *Config) lasting(k Key) []string {
	return slices.DeleteFunc(slices.Clone(c.requested[k.Name]), func(value string) bool {
		return strings.HasSuffix(k.Name, "-arg") && lab.ParseArg(value).Name == verbosity
	})
}
