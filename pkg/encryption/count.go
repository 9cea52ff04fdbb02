// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Entry is what the configuration says of some resources, without its keys: the
// providers in their order, each key one of its own.
type Entry struct {
	Resources []string
	Providers []Provider
}

// Entries lists what the configuration says.
func (c *Config) Entries() []Entry { return c.entries }

func (d document) entries() []Entry {
	var all []Entry
	for _, r := range d.Resources {
		e := Entry{Resources: r.Resources}
		for _, p := range r.Providers {
			for name, settings := range p {
				e.Providers = append(e.Providers, ofSettings(name, settings)...)
			}
		}
		all = append(all, e)
	}
	return all
}

// ofSettings are a provider's keys.
func ofSettings(name string, settings any) []Provider {
	s, _ := settings.(map[string]any)
	text := func(m map[string]any, field string) string { value, _ := m[field].(string); return value }
	switch name {
	case Identity:
		return []Provider{{Name: Identity}}
	case KMS:
		version := text(s, "apiVersion")
		if version == "" {
			version = "v1"
		}
		return []Provider{{KMS, version, text(s, "name")}}
	}
	var all []Provider
	keys, _ := s["keys"].([]any)
	for _, k := range keys {
		key, _ := k.(map[string]any)
		all = append(all, Provider{name, "v1", text(key, "name")})
	}
	return all
}

// Short names a provider and its key in a list.
func (p Provider) Short() string {
	if p.Key == "" {
		return p.Name
	}
	return p.Name + " " + p.Key
}

// entryOf returns the entry that a resource's encryption is from: its own, else that
// of its group, else that of everything (encryptionconfig, transformerFromOverrides).
func (c *Config) entryOf(gr schema.GroupResource) (Entry, bool) {
	for _, wanted := range []schema.GroupResource{gr, {Group: gr.Group, Resource: "*"}, {Group: "*", Resource: "*"}} {
		for _, e := range c.entries {
			if slices.ContainsFunc(e.Resources, func(name string) bool { return schema.ParseGroupResource(name) == wanted }) {
				return e, true
			}
		}
	}
	return Entry{}, false
}

// Writes returns with what a resource is written; ok is false for one that the
// configuration does not name.
func (c *Config) Writes(gr schema.GroupResource) (p Provider, ok bool) {
	e, ok := c.entryOf(gr)
	if !ok || len(e.Providers) == 0 {
		return Provider{}, false
	}
	return e.Providers[0], true
}

// Count is how many objects of a resource are stored with a provider, and one of them.
type Count struct {
	Resource schema.GroupResource
	Provider Provider
	Objects  int
	// Example is namespace/name of one.
	Example string
}

// Everything stands for all that is stored, of resources that nobody serves any more
// too.
var Everything = schema.GroupResource{}

// CountStored reads all that is stored of some resources, or Everything, and counts it
// by what it is encrypted with, as the headers tell.
func CountStored(ctx context.Context, e Etcd, resources []schema.GroupResource) ([]Count, error) {
	var all []Count
	read := map[string]bool{} // two may be stored in one place
	for _, r := range resources {
		path := storagePath(r)
		if read[path] {
			continue
		}
		read[path] = true
		counts := map[Provider]*Count{}
		err := e.readAll(ctx, path, func(key string, value []byte) {
			p := ProviderOf(value)
			if counts[p] == nil {
				counts[p] = &Count{Resource: r, Provider: p, Example: cmp.Or(object(key, r), key)}
			}
			counts[p].Objects++
		})
		if err != nil {
			return nil, fmt.Errorf("reading what is stored below %s: %w", path, err)
		}
		for _, p := range slices.SortedFunc(maps.Keys(counts), func(a, b Provider) int { return strings.Compare(a.Short(), b.Short()) }) {
			all = append(all, *counts[p])
		}
	}
	return all, nil
}

// readAll calls each with all that is stored below one path, at one revision, which
// is that of the whole cluster and not only what this member has applied.
func (e Etcd) readAll(ctx context.Context, below string, each func(key string, value []byte)) error {
	from := begins(e.Prefix, below)
	end := clientv3.GetPrefixRangeEnd(from)
	var revision int64
	for {
		r, err := e.KV.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(pageSize), clientv3.WithRev(revision))
		if err != nil {
			return err
		}
		revision = r.Header.Revision
		for _, kv := range r.Kvs {
			each(string(kv.Key), kv.Value)
		}
		if !r.More {
			return nil
		}
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
	}
}
