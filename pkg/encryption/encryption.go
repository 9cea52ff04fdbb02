// SPDX-License-Identifier: Apache-2.0

// Package encryption holds the configuration of encryption at rest against what is
// stored: an apiserver that cannot read one object of a resource never becomes
// ready, and says so nowhere. Values are read from etcd, or from the database of a
// member that does not run, and decrypted with the apiserver's own transformers; no
// value and no key leaves the package.
package encryption

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage/value"
)

// Provider is with what a value is encrypted, as its header tells.
type Provider struct {
	// Name is aescbc, aesgcm, secretbox or kms; identity for what is not encrypted.
	Name string
	// Version is that of the provider's format: v1, or v2 for kms.
	Version string
	// Key is the name of the key, or of the KMS plugin.
	Key string
}

// String names the provider and its key as the configuration does.
func (p Provider) String() string {
	switch p.Name {
	case Identity:
		return "not encrypted"
	case KMS:
		return "encrypted by the KMS plugin " + p.Key + " (kms " + p.Version + ")"
	}
	return "encrypted with the key " + p.Key + " of " + p.Name
}

// The providers: the first three have keys in the configuration, and Identity is for
// what is not encrypted.
const (
	AESCBC    = "aescbc"
	AESGCM    = "aesgcm"
	Secretbox = "secretbox"
	KMS       = "kms"
	Identity  = "identity"
)

// encryptedPrefix begins every encrypted value (k8s.io/apiserver,
// pkg/storage/value/encrypt/identity).
var encryptedPrefix = []byte("k8s:enc:")

// maxHeader bounds what is read of a value as its header, in bytes.
const maxHeader = 512

// ProviderOf reads the header of a stored value: k8s:enc:aescbc:v1:key1:…
func ProviderOf(stored []byte) Provider {
	rest, ok := bytes.CutPrefix(stored[:min(len(stored), maxHeader)], encryptedPrefix)
	if !ok {
		return Provider{Name: Identity}
	}
	parts := bytes.SplitN(rest, []byte(":"), 4)
	if len(parts) < 4 {
		return Provider{Name: "an unknown provider"}
	}
	return Provider{Name: string(parts[0]), Version: string(parts[1]), Key: string(parts[2])}
}

// Unreadable are stored objects that the configuration cannot read.
type Unreadable struct {
	// Resource is what they are, and Object one of them: namespace/name.
	Resource schema.GroupResource
	Object   string
	Provider Provider
	// Known tells that the configuration has a key of that name, with another secret.
	Known bool
}

// Problem says what is wrong, in words that follow the configuration's path.
func (u Unreadable) Problem() string {
	what := fmt.Sprintf("cannot read stored %s such as %s, which are %s", u.Resource.Resource, u.Object, u.Provider)
	switch {
	case u.Provider.Name == Identity:
		return what + ", and there is no identity provider for them"
	case u.Known:
		return what + ": the key of that name has another secret here"
	}
	return what + ", which is not there"
}

// Fix says what to do.
func (u Unreadable) Fix() string {
	switch {
	case u.Provider.Name == Identity:
		return "add identity: {} as the last provider, until all are rewritten"
	case u.Provider.Name == KMS:
		return "put that plugin back below the other providers, until all are rewritten"
	case u.Known:
		return "put the former secret back, from another controller or a backup; a new key has a new name and comes before it"
	}
	return "put that key back below the new one, from another controller or a backup, until all are rewritten"
}

// Check returns what cannot be read of what source holds, one for each resource and
// provider, in the order of the resources. It reads a bounded part of it. With an
// error it returns what it has found until then.
func (c *Config) Check(ctx context.Context, source Source) ([]Unreadable, error) {
	resources, err := c.resources(ctx, source)
	if err != nil {
		return nil, err
	}
	at := map[string][]schema.GroupResource{} // two may be stored in one place
	for _, r := range resources {
		at[storagePath(r)] = append(at[storagePath(r)], r)
	}
	found := map[schema.GroupResource][]Unreadable{}
	err = source.Read(ctx, slices.Sorted(maps.Keys(at)), func(path, key string, stored []byte) {
		p := ProviderOf(stored)
		for _, r := range at[path] {
			// One that can be read says nothing of the next: two controllers may have given
			// one name to two keys.
			told := slices.ContainsFunc(found[r], func(u Unreadable) bool { return u.Provider == p })
			if !told && !c.canRead(ctx, r, p, key, stored) {
				found[r] = append(found[r], Unreadable{r, object(key, r), p, c.has(r, p)})
			}
		}
	})
	var all []Unreadable
	for _, r := range resources {
		all = append(all, found[r]...)
	}
	return all, err
}

// canRead reports whether the apiserver can read a value. A KMS plugin is not asked:
// it may start later.
func (c *Config) canRead(ctx context.Context, resource schema.GroupResource, p Provider, key string, stored []byte) bool {
	known := c.has(resource, p)
	if !known || p.Name == Identity || p.Name == KMS {
		return known
	}
	plain, _, err := c.transformers.TransformerForResource(resource).TransformFromStorage(ctx, stored, value.DefaultContext(key))
	return err == nil && (p.Name != AESCBC || isObject(plain))
}

// isObject tells an object from what the wrong key of aescbc makes of one, which one
// time in 256 passes for padded; the other providers authenticate. Objects are stored
// as protobuf, CBOR, JSON or YAML (--storage-media-type).
func isObject(plain []byte) bool {
	return bytes.HasPrefix(plain, []byte("k8s\x00")) || bytes.HasPrefix(plain, []byte{0xd9, 0xd9, 0xf7}) || utf8.Valid(plain)
}

// object is namespace/name of a key below the path of its resource.
func object(key string, resource schema.GroupResource) string {
	_, name, _ := strings.Cut(key, "/"+storagePath(resource)+"/")
	return name
}
