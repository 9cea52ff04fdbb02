// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Target is with what everything is to be encrypted that is encrypted now; where
// nothing is, everything that the configuration names.
type Target struct {
	// Provider is that of a key (aescbc, aesgcm or secretbox), kms for a KMS plugin of
	// version 2, or identity for nothing.
	Provider string `json:"provider"`
	// Key is the name of the key, or of the KMS plugin.
	Key string `json:"key,omitempty"`
	// Secret is the key itself, in base64. It is in no message and in no JSON.
	Secret string `json:"-"`
	// Endpoint is where the KMS plugin is: unix:///its.socket.
	Endpoint string `json:"endpoint,omitempty"`
}

// Short names the target in a list, as that of a [Provider].
func (t Target) Short() string { return Provider{Name: t.Provider, Key: t.Key}.Short() }

// hasKeys reports whether a provider's keys are in the configuration.
func hasKeys(provider string) bool {
	return provider == AESCBC || provider == AESGCM || provider == Secretbox
}

// Hash identifies a configuration, as the apiserver's metrics do: last_config_info.
func Hash(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// AddSecond returns the configuration with the target behind what is written with
// now: all can read what is written with it, and nobody writes with it yet.
func AddSecond(data []byte, t Target) ([]byte, error) {
	return change(data, func(entries []*entry) error {
		if err := t.unused(entries); err != nil {
			return err
		}
		takesPart := func(e *entry) bool { return e.providers[0].name != Identity }
		if !slices.ContainsFunc(entries, takesPart) {
			takesPart = func(*entry) bool { return t.Provider != Identity }
		}
		for _, e := range entries {
			if takesPart(e) {
				e.addSecond(t)
			}
		}
		return nil
	})
}

// MakeFirst returns the configuration with the target, which AddSecond has added, at
// the first place: everything is written with it.
func MakeFirst(data []byte, t Target) ([]byte, error) {
	return change(data, func(entries []*entry) error {
		for _, e := range entries {
			e.makeFirst(t)
		}
		return nil
	})
}

// DropOthers returns the configuration without what MakeFirst has left behind the
// target. What is not encrypted can be read still where that was so before.
func DropOthers(data []byte, t Target) ([]byte, error) {
	return change(data, func(entries []*entry) error {
		for _, e := range entries {
			e.dropOthers(t)
		}
		return nil
	})
}

// entry is one of the configuration's resources with its providers, as they are in
// the document.
type entry struct {
	node      *yaml.Node // the list of providers
	providers []*provider
}

// provider is one in the list.
type provider struct {
	name string
	node *yaml.Node // the item of the list
	keys *yaml.Node // the list of its keys, or nil
}

// change has f change the providers of a document, and returns the document. Comments
// stay.
func change(data []byte, f func([]*entry) error) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil || len(document.Content) == 0 {
		return nil, errors.New("is not a usable YAML document") // the text there may be a key
	}
	resources := field(document.Content[0], "resources")
	if resources == nil || resources.Kind != yaml.SequenceNode || len(resources.Content) == 0 {
		return nil, errors.New("encrypts nothing: resources is empty")
	}
	var entries []*entry
	for _, r := range resources.Content {
		e := &entry{node: field(r, "providers")}
		if e.node == nil || e.node.Kind != yaml.SequenceNode || len(e.node.Content) == 0 {
			return nil, errors.New("has resources without providers")
		}
		for _, item := range e.node.Content {
			if item.Kind != yaml.MappingNode || len(item.Content) != 2 {
				return nil, fmt.Errorf("line %d: a provider is one name and its settings", item.Line)
			}
			e.providers = append(e.providers, &provider{item.Content[0].Value, item, field(item.Content[1], "keys")})
		}
		entries = append(entries, e)
	}
	if err := f(entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		e.node.Content = nil
		for _, p := range e.providers {
			e.node.Content = append(e.node.Content, p.node)
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(&document), encoder.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// field returns the value of a mapping's key, or nil.
func field(mapping *yaml.Node, name string) *yaml.Node {
	if mapping.Kind == yaml.AliasNode {
		mapping = mapping.Alias
	}
	for i := 0; mapping.Kind == yaml.MappingNode && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// unused refuses a name that is in use: what is stored would be taken for what it is
// not.
func (t Target) unused(entries []*entry) error {
	for _, e := range entries {
		for _, p := range e.providers {
			if p.name == KMS && t.Provider == KMS && scalar(field(p.node.Content[1], "name")) == t.Key {
				return fmt.Errorf("has a KMS plugin %s already; give the new one another name", t.Key)
			}
			if p.keys == nil || !hasKeys(t.Provider) {
				continue
			}
			for _, k := range p.keys.Content {
				if scalar(field(k, "name")) == t.Key {
					return fmt.Errorf("has a key %s already; a new key has a new name", t.Key)
				}
			}
		}
	}
	return nil
}

func scalar(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

// addSecond adds the target behind the first provider, or behind the keys of one of
// its kind.
func (e *entry) addSecond(t Target) {
	same := func(p *provider) bool { return p.name == t.Provider }
	switch i := slices.IndexFunc(e.providers, same); {
	case t.Provider == Identity && i < 0:
		e.providers = append(e.providers, t.provider())
	case t.Provider == Identity:
	case hasKeys(t.Provider) && i >= 0 && e.providers[i].keys != nil:
		e.providers[i].keys.Content = append(e.providers[i].keys.Content, t.key())
	default:
		e.providers = slices.Insert(e.providers, 1, t.provider())
	}
}

// index is where the target is, or -1, and which of the provider's keys it is.
func (e *entry) index(t Target) (at, key int) {
	for i, p := range e.providers {
		switch {
		case p.name != t.Provider:
		case t.Provider == Identity:
			return i, -1
		case t.Provider == KMS:
			if scalar(field(p.node.Content[1], "name")) == t.Key {
				return i, -1
			}
		case p.keys != nil:
			named := func(k *yaml.Node) bool { return scalar(field(k, "name")) == t.Key }
			if k := slices.IndexFunc(p.keys.Content, named); k >= 0 {
				return i, k
			}
		}
	}
	return -1, -1
}

func (e *entry) makeFirst(t Target) {
	i, k := e.index(t)
	if i < 0 {
		return
	}
	p := e.providers[i]
	if k > 0 {
		p.keys.Content = slices.Concat(p.keys.Content[k:k+1], p.keys.Content[:k], p.keys.Content[k+1:])
	}
	e.providers = slices.Concat([]*provider{p}, e.providers[:i], e.providers[i+1:])
}

func (e *entry) dropOthers(t Target) {
	i, k := e.index(t)
	if i != 0 {
		return
	}
	kept := e.providers[:1:1]
	if k >= 0 {
		kept[0].keys.Content = []*yaml.Node{kept[0].keys.Content[k]}
	}
	for _, p := range e.providers[1:] {
		if p.name == Identity && t.Provider != Identity {
			kept = append(kept, p)
		}
	}
	e.providers = kept
}

// provider is the target as an item of the list.
func (t Target) provider() *provider {
	switch t.Provider {
	case Identity:
		return item(t.Provider, &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle})
	case KMS:
		return item(KMS, mapping("apiVersion", "v2", "name", t.Key, "endpoint", t.Endpoint, "timeout", kmsTimeout))
	}
	keys := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{t.key()}}
	settings := mapping()
	settings.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Value: "keys"}, keys}
	p := item(t.Provider, settings)
	p.keys = keys
	return p
}

// kmsTimeout is what a KMS plugin may take to answer; Kubernetes' own default.
const kmsTimeout = "3s"

func (t Target) key() *yaml.Node { return mapping("name", t.Key, "secret", t.Secret) }

func item(name string, settings *yaml.Node) *provider {
	return &provider{name: name, node: &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: name}, settings}}}
}

// mapping has strings for its values.
func mapping(pairs ...string) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i, s := range pairs {
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: s}
		if i%2 == 1 {
			n.Tag = "!!str"
		}
		m.Content = append(m.Content, n)
	}
	return m
}
