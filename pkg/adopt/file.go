// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// header says what the file is.
const header = `Settings of khw-controller, written by ` + "`khw-controller adopt`" + ` from
%s:
what differs from the lab's flags, and what the service needs. Every key is
documented by ` + "`khw-controller run --help`" + `.`

// render writes khw-controller.yaml, each value with where it is from.
func render(values []Value, units []Unit) ([]byte, error) {
	var names []string
	for _, u := range units {
		names = append(names, u.Name)
	}
	doc := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range config.Keys() {
		of := slices.DeleteFunc(slices.Clone(values), func(v Value) bool { return v.Key != k.Name })
		if len(of) == 0 {
			continue
		}
		node := scalar(of[0])
		if k.List {
			node = &yaml.Node{Kind: yaml.SequenceNode}
			for _, v := range of {
				node.Content = append(node.Content, scalar(v))
			}
		}
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: k.Name}, node)
	}
	var b bytes.Buffer
	for line := range strings.SplitSeq(fmt.Sprintf(header, strings.Join(names, ", ")), "\n") {
		b.WriteString("# " + line + "\n")
	}
	b.WriteString("\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return b.Bytes(), sameAs(values, b.Bytes())
}

func scalar(v Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v.Value, LineComment: v.Why}
	if v.Key == verbosity {
		n.Tag = "!!int"
	}
	if v.Lab != "" {
		n.LineComment += "; the lab: " + v.Lab
	}
	return n
}

// sameAs reads the file back as `run` does: what is adopted is what was understood.
func sameAs(values []Value, file []byte) error {
	want := map[string][]string{}
	for _, v := range values {
		want[v.Key] = append(want[v.Key], v.Value)
	}
	got, err := config.Read(string(paths.Config), file)
	if err != nil {
		return err
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		return fmt.Errorf("%s cannot hold the units' flags: it would be read as %v, not as %v", paths.Config, got, want)
	}
	return nil
}
