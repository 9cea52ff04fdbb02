// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Read returns what a config file's text sets each key to. path is for errors.
func Read(path string, data []byte) (map[string][]string, error) {
	assignments, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	values := map[string][]string{}
	for _, a := range assignments {
		values[a.key.Name] = append(values[a.key.Name], a.value)
	}
	return values, nil
}

// Edit returns a config file's text in which a list has other values: in place of
// the old ones or of the comment that documents it, else at the end. All else stays
// as it is. path is for errors.
func Edit(path string, data []byte, name string, values []string) ([]byte, error) {
	first, last, err := linesOf(path, data, name)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(data), "\n")
	if end := len(lines) - 1; lines[end] != "" {
		lines[end] += "\n"
	}
	set := name + ": [" + strings.Join(quoted(values), ", ") + "]\n"
	if first < 0 {
		first = slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "#"+name+":") })
		last = first
	}
	if first < 0 {
		first, last = len(lines), len(lines)-1
	}
	edited := []byte(strings.Join(slices.Concat(lines[:first], []string{set}, lines[last+1:]), ""))
	if !differsIn(path, data, edited, name, values) {
		return nil, fmt.Errorf("%s: %s cannot be set in it without a change of something else; set it by hand", path, name)
	}
	return edited, nil
}

// differsIn reports whether a text sets a list to values, and all else as another.
func differsIn(path string, data, edited []byte, name string, values []string) bool {
	before, err := Read(path, data)
	if err != nil {
		return false
	}
	before[name] = values
	after, err := Read(path, edited)
	return err == nil && maps.EqualFunc(before, after, slices.Equal)
}

// linesOf returns the lines, from 0, in which a key is set; below 0 for none.
func linesOf(path string, data []byte, name string) (first, last int, err error) {
	if _, err := parse(path, data); err != nil {
		return 0, 0, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 {
		return -1, -1, err
	}
	top := doc.Content[0]
	if top.Style&yaml.FlowStyle != 0 {
		return 0, 0, fmt.Errorf("%s:%d: write it as `key: value` lines, without braces", path, top.Line)
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value == name {
			return top.Content[i].Line - 1, lastLine(top.Content[i+1], data) - 1, nil
		}
	}
	return -1, -1, nil
}

// lastLine is the last line, from 1, of a value that is a scalar or a list of them.
func lastLine(n *yaml.Node, data []byte) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c, data))
	}
	if n.Style&yaml.FlowStyle == 0 || n.Kind != yaml.SequenceNode {
		return last
	}
	// A list in brackets may end below its last item.
	for i, line := range strings.Split(string(data), "\n") {
		if i+1 >= last && strings.Contains(line, "]") {
			return i + 1
		}
	}
	return last
}

// plain is what YAML takes for a string without quotes, in a list in brackets too.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9=./:_+-]*$`)

func quoted(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		if out[i] = v; !plain.MatchString(v) {
			out[i] = strconv.Quote(v)
		}
	}
	return out
}
