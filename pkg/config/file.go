// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// Load reads the config file and puts the flags over it. A file that was named
// must exist; the default one may be missing.
func (f *Flags) Load(root string) (*Config, error) {
	c := &Config{Root: root, Args: map[lab.Component][]lab.Override{},
		HealthzBindAddress: DefaultHealthzBindAddress, HealthzGrace: -1, HealthzUnhealthyThreshold: defaultUnhealthyThreshold,
		SnapshotInterval: defaultSnapshotInterval, SnapshotKeep: defaultSnapshotKeep, DefragInterval: defaultDefragInterval}
	path := f.file
	if path == "" {
		path = paths.Config.Below(root)
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && f.file == "":
		path = ""
	case err != nil:
		return nil, fmt.Errorf("--config: %w", err)
	}
	fromFile, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	c.File = path
	flagged := map[string]bool{}
	for _, a := range f.requested {
		flagged[a.key.Name] = true
	}
	for _, a := range fromFile {
		// Component flags of both are kept: a flag beats the same flag only.
		if flagged[a.key.Name] && a.key.whole {
			continue
		}
		if err := a.apply(c); err != nil {
			return nil, err
		}
	}
	for _, a := range f.requested {
		if err := a.apply(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// parse reads a config file: a map from keys to a value or a list of values.
func parse(path string, data []byte) ([]assignment, error) {
	var doc yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var second yaml.Node
	if err := documents.Decode(&second); err == nil {
		return nil, fmt.Errorf("%s:%d: begins a second document, of which nothing would be read; remove this line", path, second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil // empty, or comments only
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want `key: value` lines", path, top.Line)
	}
	var out []assignment
	seen := map[string]int{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		name, value := top.Content[i], top.Content[i+1]
		k, ok := key(name.Value)
		if !ok {
			return nil, unknownKey(path, name)
		}
		if line, again := seen[name.Value]; again {
			return nil, fmt.Errorf("%s:%d: %s is set already in line %d; remove one", path, name.Line, name.Value, line)
		}
		seen[name.Value] = name.Line
		values, err := scalars(path, k, value)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			out = append(out, assignment{key: k, source: path, value: v, at: fmt.Sprintf("%s:%d: %s", path, name.Line, k.Name)})
		}
	}
	return out, nil
}

func scalars(path string, k Key, node *yaml.Node) ([]string, error) {
	switch {
	case node.Kind == yaml.AliasNode:
		return scalars(path, k, node.Alias)
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return nil, nil
	case node.Kind == yaml.ScalarNode:
		return []string{node.Value}, nil
	case node.Kind == yaml.SequenceNode && k.List:
		var out []string
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("%s:%d: each item of %s has to be a %s", path, item.Line, k.Name, k.Type)
			}
			out = append(out, item.Value)
		}
		return out, nil
	case k.List:
		return nil, fmt.Errorf("%s:%d: %s has to be a list of %s", path, node.Line, k.Name, k.Type)
	}
	return nil, fmt.Errorf("%s:%d: %s has to be a single %s", path, node.Line, k.Name, k.Type)
}

func unknownKey(path string, name *yaml.Node) error {
	if nearest := lab.Nearest(name.Value, keyNames()); nearest != "" {
		return fmt.Errorf("%s:%d: there is no key %s; did you mean %s?", path, name.Line, name.Value, nearest)
	}
	return fmt.Errorf("%s:%d: there is no key %s; see `khw-controller run --help` for all keys", path, name.Line, name.Value)
}
