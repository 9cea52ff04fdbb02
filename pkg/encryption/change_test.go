// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
)

// document1 is a configuration with entries, each "resource: providers".
func document1(entries ...string) []byte {
	text := "kind: EncryptionConfig\napiVersion: v1\n# ours\nresources:\n"
	for _, e := range entries {
		resource, providers, _ := strings.Cut(e, ": ")
		text += fmt.Sprintf("- resources: [%q]\n  providers: [%s]\n", resource, providers)
	}
	return []byte(text)
}

// show is a configuration's entries in one line.
func show(t *testing.T, data []byte) string {
	t.Helper()
	c, err := Parse(t.Context(), data)
	if err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	var all []string
	for _, e := range c.Entries() {
		var providers []string
		for _, p := range e.Providers {
			providers = append(providers, p.Short())
		}
		all = append(all, strings.Join(e.Resources, ",")+": "+strings.Join(providers, ", "))
	}
	return strings.Join(all, "; ")
}

func TestAMoveInThreeSteps(t *testing.T) {
	cbc, box := key("aescbc", "key1", 'a'), key("secretbox", "box1", 'b')
	to := func(provider string) Target { return Target{Provider: provider, Key: "new", Secret: secret('n')} }
	for name, test := range map[string]struct {
		from   []byte
		target Target
		want   [3]string
	}{
		"the lab's": {document1("secrets: " + cbc + "," + plain), to(AESCBC), [3]string{
			"secrets: aescbc key1, aescbc new, identity", "secrets: aescbc new, aescbc key1, identity", "secrets: aescbc new, identity"}},
		"without identity": {document1("secrets: " + cbc), to(AESCBC), [3]string{
			"secrets: aescbc key1, aescbc new", "secrets: aescbc new, aescbc key1", "secrets: aescbc new"}},
		"another provider": {document1("secrets: " + cbc + "," + plain), to(Secretbox), [3]string{
			"secrets: aescbc key1, secretbox new, identity", "secrets: secretbox new, aescbc key1, identity", "secrets: secretbox new, identity"}},
		"back to one that is there": {document1("secrets: " + box + "," + cbc + "," + plain), to(AESCBC), [3]string{
			"secrets: secretbox box1, aescbc key1, aescbc new, identity", "secrets: aescbc new, aescbc key1, secretbox box1, identity", "secrets: aescbc new, identity"}},
		"from nothing": {document1("secrets: " + plain), to(AESCBC), [3]string{
			"secrets: identity, aescbc new", "secrets: aescbc new, identity", "secrets: aescbc new, identity"}},
		"from nothing, with an old key": {document1("secrets: " + plain + "," + cbc), to(AESCBC), [3]string{
			"secrets: identity, aescbc key1, aescbc new", "secrets: aescbc new, aescbc key1, identity", "secrets: aescbc new, identity"}},
		"to nothing": {document1("secrets: " + cbc), Target{Provider: Identity}, [3]string{
			"secrets: aescbc key1, identity", "secrets: identity, aescbc key1", "secrets: identity"}},
		"to nothing, as the lab": {document1("secrets: " + cbc + "," + plain), Target{Provider: Identity}, [3]string{
			"secrets: aescbc key1, identity", "secrets: identity, aescbc key1", "secrets: identity"}},
		"what is exempt stays so": {document1("events: "+plain, "*.*: "+cbc), to(AESGCM), [3]string{
			"events: identity; *.*: aescbc key1, aesgcm new", "events: identity; *.*: aesgcm new, aescbc key1", "events: identity; *.*: aesgcm new"}},
		"several": {document1("secrets: "+cbc+","+plain, "configmaps: "+box), to(AESCBC), [3]string{
			"secrets: aescbc key1, aescbc new, identity; configmaps: secretbox box1, aescbc new",
			"secrets: aescbc new, aescbc key1, identity; configmaps: aescbc new, secretbox box1",
			"secrets: aescbc new, identity; configmaps: aescbc new"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := test.from
			for i, step := range []func([]byte, Target) ([]byte, error){AddSecond, MakeFirst, DropOthers} {
				next, err := step(data, test.target)
				if err != nil {
					t.Fatal(err)
				}
				if got := show(t, next); got != test.want[i] {
					t.Errorf("step %d: got %s\nwant %s", i+1, got, test.want[i])
				}
				if !strings.Contains(string(next), "# ours") || !strings.Contains(string(next), "kind: EncryptionConfig\n") {
					t.Errorf("step %d lost what it has nothing to do with:\n%s", i+1, next)
				}
				// Each step can read what the one before and the one after write.
				for _, r := range [][2][]byte{{data, next}, {next, data}} {
					mustRead(t, r[0], r[1], i == 2 && slices.Equal(r[0], data))
				}
				again, err := step(next, test.target)
				if i > 0 && (err != nil || string(again) != string(next)) {
					t.Errorf("step %d made again, %v:\n%s", i+1, err, again)
				}
				data = next
			}
		})
	}
}

// mustRead wants a configuration to read what another one writes of secrets, but
// where the step in between is the last.
func mustRead(t *testing.T, written, reads []byte, last bool) {
	t.Helper()
	if last {
		return
	}
	w, err := Parse(t.Context(), written)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(t.Context(), reads)
	if err != nil {
		t.Fatal(err)
	}
	const at = "/registry/secrets/default/a"
	stored, err := w.transformers.TransformerForResource(secrets).TransformToStorage(t.Context(), []byte("k8s\x00x"), value.DefaultContext(at))
	if err != nil {
		t.Fatal(err)
	}
	if !r.canRead(t.Context(), secrets, ProviderOf(stored), at, stored) {
		t.Errorf("%s cannot read what %s writes", show(t, reads), show(t, written))
	}
}

func TestAPluginIsMovedTo(t *testing.T) {
	target := Target{Provider: KMS, Key: "vault", Endpoint: "unix:///run/vault.sock"}
	data, err := AddSecond(document1("secrets: "+key("aescbc", "key1", 'a')+","+plain), target)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Plugins(); len(got) != 1 || got[0] != (Plugin{"vault", "/run/vault.sock", "v2"}) {
		t.Errorf("its plugins are %v", got)
	}
	if data, err = MakeFirst(data, target); err != nil || show(t, data) != "secrets: kms vault, aescbc key1, identity" {
		t.Errorf("%v: %s", err, show(t, data))
	}
	if data, err = DropOthers(data, target); err != nil || show(t, data) != "secrets: kms vault, identity" {
		t.Errorf("%v: %s", err, show(t, data))
	}
	other := Target{Provider: KMS, Key: "vault", Endpoint: "unix:///run/other.sock"}
	if _, err := AddSecond(data, other); err == nil {
		t.Error("a second plugin of the same name is added")
	}
	if data, err = AddSecond(data, Target{Provider: Secretbox, Key: "new", Secret: secret('n')}); err != nil || show(t, data) != "secrets: kms vault, secretbox new, identity" {
		t.Errorf("%v: %s", err, show(t, data))
	}
}

func TestNothingIsDroppedBeforeItIsSecond(t *testing.T) {
	data := document1("secrets: " + key("aescbc", "key1", 'a') + "," + key("secretbox", "new", 'b'))
	for _, target := range []Target{{Provider: AESCBC, Key: "new"}, {Provider: Secretbox, Key: "new"}} {
		got, err := DropOthers(data, target)
		if err != nil || show(t, got) != "secrets: aescbc key1, secretbox new" {
			t.Errorf("%v: %s", err, show(t, got))
		}
	}
}

func TestWhatCannotBeChanged(t *testing.T) {
	target := Target{Provider: AESCBC, Key: "key1", Secret: secret('n')}
	for name, text := range map[string]string{
		"nothing": "", "no YAML": "\t{", "a list": "[]", "no resources": "kind: EncryptionConfiguration", "no providers": "resources: [{resources: [secrets]}]",
		"an empty list": "resources: [{resources: [secrets], providers: []}]", "two in one": "resources: [{resources: [secrets], providers: [{identity: {}, aescbc: {}}]}]",
		"the name is in use": string(document1("secrets: " + key("secretbox", "key1", 'a'))),
	} {
		if got, err := AddSecond([]byte(text), target); err == nil {
			t.Errorf("%s: got %s", name, got)
		} else if strings.Contains(err.Error(), secret('a')) {
			t.Errorf("%s: the error shows a key: %v", name, err)
		}
	}
}

func TestTheHashIsTheApiservers(t *testing.T) {
	path, data := filepath.Join(t.TempDir(), "config"), document1("secrets: "+plain)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := encryptionconfig.GetEncryptionConfigHash(path)
	if got := Hash(data); err != nil || got != want {
		t.Errorf("got %s, want %s, %v", got, want, err)
	}
}

func FuzzChange(f *testing.F) {
	f.Add(document1("secrets: " + key("aescbc", "key1", 'a') + "," + plain))
	f.Add([]byte("resources: [{resources: [secrets], providers: [{aescbc: {keys: 1}}, {kms: }]}]"))
	f.Add([]byte("a: &a {identity: {}}\nresources: [{providers: [*a]}]"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, target := range []Target{{Provider: AESCBC, Key: "new"}, {Provider: KMS, Key: "new"}, {Provider: Identity}} {
			for _, step := range []func([]byte, Target) ([]byte, error){AddSecond, MakeFirst, DropOthers} {
				next, err := step(data, target)
				if err != nil {
					return
				}
				data = next
			}
		}
	})
}
