// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"fmt"
	"slices"
	"strings"
)

// option is one assignment in a unit file.
type option struct{ section, name, value string }

// parseUnit reads a unit file as systemd does (systemd.syntax(7)): a backslash at
// the end of a line joins it to the next, and comments between those are passed
// over. go-systemd's reader takes such a comment for the end of the value, and
// refuses lines of 2 KB, which one of all the lab's flags nearly has.
func parseUnit(path, text string) ([]option, error) {
	var all []option
	section, pending, begun := "", "", 0
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if first := strings.TrimSpace(line); strings.HasPrefix(first, "#") || strings.HasPrefix(first, ";") {
			continue
		}
		if pending == "" {
			begun = i + 1
		}
		if trailing := len(line) - len(strings.TrimRight(line, `\`)); trailing%2 == 1 && i < len(lines)-1 {
			pending += line[:len(line)-1] + " "
			continue
		}
		line, pending = strings.TrimSpace(pending+line), ""
		switch name, value, ok := strings.Cut(line, "="); {
		case line == "":
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
		case !ok:
			return nil, fmt.Errorf("%s:%d: is neither a section nor name=value", path, begun)
		default:
			all = append(all, option{section, strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return all, nil
}

// service is the section that says what is started.
const service = "Service"

// list returns the values of an option of [Service] that may be set several times; an
// empty value takes back all before it.
func list(all []option, name string) []string {
	var values []string
	for _, o := range all {
		switch {
		case o.section != service || o.name != name:
		case o.value == "":
			values = nil
		default:
			values = append(values, o.value)
		}
	}
	return values
}

// last returns the value of an option of [Service] of which the last counts.
func last(all []option, name string) string {
	for _, o := range slices.Backward(all) {
		if o.section == service && o.name == name {
			return o.value
		}
	}
	return ""
}
