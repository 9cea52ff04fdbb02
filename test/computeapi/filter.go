// SPDX-License-Identifier: Apache-2.0

package computeapi

import "regexp"

// parseFilter understands the filters that name resources, one or more joined by
// OR: (name = "controller-0") OR (name = "controller-1"). Others it refuses: a
// filter that was ignored would let a wrong client pass.
func parseFilter(text string) (func(object) bool, error) {
	if text == "" {
		return func(object) bool { return true }, nil
	}
	names := map[string]bool{}
	rest := text
	for {
		m := term.FindStringSubmatch(rest)
		if m == nil {
			return nil, invalid("invalid", "Invalid value for field 'filter': '%s'. Invalid list filter expression.", text)
		}
		names[m[1]+m[2]] = true
		if m[3] == "" {
			return func(r object) bool { name, _ := r["name"].(string); return names[name] }, nil
		}
		rest = rest[len(m[0]):]
	}
}

var term = regexp.MustCompile(`^(?:\(name = "([-a-z0-9]+)"\)|name = "([-a-z0-9]+)")( OR |$)`)
