// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/memfd"
)

// Config is a configuration of encryption at rest as the apiserver understands it.
type Config struct {
	document     document
	entries      []Entry
	transformers encryptionconfig.StaticTransformers
}

// document is what is needed of a configuration besides its transformers, in the
// form of 2018 or today's.
type document struct {
	Kind       string      `json:"kind"`
	APIVersion string      `json:"apiVersion"`
	Resources  []resources `json:"resources"`
}

type resources struct {
	Resources []string         `json:"resources"`
	Providers []map[string]any `json:"providers"`
}

// Load reads the configuration at path; without a path nothing is encrypted. KMS
// plugins are not connected to.
func Load(ctx context.Context, path string) (*Config, error) {
	c := &Config{}
	if path == "" {
		return c, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if c, err = Parse(ctx, data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse is Load of what a file holds.
func Parse(ctx context.Context, data []byte) (c *Config, err error) {
	c = &Config{}
	if err := yaml.Unmarshal(data, &c.document); err != nil {
		return nil, errors.New("is not a usable YAML document") // the text there may be a key
	}
	c.entries = c.document.entries()
	if c.transformers, err = load(ctx, c.document.withoutKMS()); err != nil {
		return nil, err
	}
	return c, nil
}

// load has the apiserver load a configuration. Its loader takes a file.
func load(ctx context.Context, d document) (encryptionconfig.StaticTransformers, error) {
	if len(d.Resources) == 0 {
		return nil, nil
	}
	data, err := yaml.Marshal(d)
	if err != nil {
		return nil, err
	}
	file, err := memfd.New("encryption-config", data)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	loaded, err := encryptionconfig.LoadEncryptionConfig(ctx, file.Path(), false, "khw-controller")
	if err != nil {
		return nil, err
	}
	return loaded.Transformers, nil
}

// withoutKMS is the configuration without KMS plugins.
func (d document) withoutKMS() document {
	out := document{Kind: d.Kind, APIVersion: d.APIVersion}
	for _, r := range d.Resources {
		r.Providers = slices.DeleteFunc(slices.Clone(r.Providers), func(p map[string]any) bool { return p[KMS] != nil })
		if len(r.Providers) > 0 {
			out.Resources = append(out.Resources, r)
		}
	}
	return out
}

// has reports whether a resource's providers include this one, by name.
func (c *Config) has(gr schema.GroupResource, want Provider) bool {
	e, ok := c.entryOf(gr)
	if !ok {
		return want.Name == Identity
	}
	return slices.ContainsFunc(e.Providers, func(p Provider) bool {
		return p.Name == want.Name && p.Key == want.Key && (p.Name != KMS || p.Version == want.Version)
	})
}
