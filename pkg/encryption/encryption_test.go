// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage/value"
)

var secrets = schema.GroupResource{Resource: "secrets"}

// secret is a key of 32 bytes, in base64.
func secret(b byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(b), 32)))
}

func key(provider, name string, b byte) string {
	return fmt.Sprintf("{%s: {keys: [{name: %s, secret: %s}]}}", provider, name, secret(b))
}

const plain = "{identity: {}}"

func plugin(name, version string) string {
	return fmt.Sprintf("{kms: {apiVersion: %s, name: %s, endpoint: unix:///run/%s.sock}}", version, name, name)
}

// configuration is a file with these providers for a resource.
func configuration(t *testing.T, resource string, providers ...string) *Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "encryption-config.yaml")
	text := fmt.Sprintf("kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n- resources: [%q]\n  providers: [%s]\n", resource, strings.Join(providers, ", "))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// encrypted is what an apiserver with this provider stores.
func encrypted(t *testing.T, key, provider string) []byte {
	t.Helper()
	c := configuration(t, "secrets", provider)
	data, err := c.transformers.TransformerForResource(secrets).TransformToStorage(t.Context(), []byte("k8s\x00a secret"), value.DefaultContext(key))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// stored are values by their keys.
type stored map[string][]byte

func (s stored) Read(_ context.Context, paths []string, each func(path, key string, value []byte)) error {
	for _, path := range paths {
		for key, data := range s {
			if strings.HasPrefix(key, "/registry/"+path+"/") {
				each(path, key, data)
			}
		}
	}
	return nil
}

func TestCheck(t *testing.T) {
	const name = "/registry/secrets/kube-system/token"
	const configmap = "/registry/configmaps/kube-system/token"
	kmsValue := []byte("k8s:enc:kms:v2:vault:\x01\x02")
	with := func(provider string) stored { return stored{name: encrypted(t, name, provider)} }
	plainly := stored{name: []byte("k8s\x00a secret")}
	for about, test := range map[string]struct {
		config *Config
		stored stored
		says   string // "" where all can be read
	}{
		"the same key":                      {configuration(t, "secrets", key("aescbc", "key1", 'a'), plain), with(key("aescbc", "key1", 'a')), ""},
		"the former key second":             {configuration(t, "secrets", key("aescbc", "key2", 'b'), key("aescbc", "key1", 'a')), with(key("aescbc", "key1", 'a')), ""},
		"the former key gone":               {configuration(t, "secrets", key("aescbc", "key2", 'b'), plain), with(key("aescbc", "key1", 'a')), "such as kube-system/token, which are encrypted with the key key1 of aescbc, which is not there"},
		"another secret of the same name":   {configuration(t, "secrets", key("aescbc", "key1", 'b'), plain), with(key("aescbc", "key1", 'a')), "the key of that name has another secret here"},
		"another provider, the same secret": {configuration(t, "secrets", key("secretbox", "key1", 'a'), plain), with(key("aescbc", "key1", 'a')), "key1 of aescbc, which is not there"},
		"aesgcm":                            {configuration(t, "secrets", key("aesgcm", "key1", 'a')), with(key("aesgcm", "key1", 'a')), ""},
		"secretbox with another secret":     {configuration(t, "secrets", key("secretbox", "key1", 'b')), with(key("secretbox", "key1", 'a')), "another secret"},
		"not encrypted, with identity":      {configuration(t, "secrets", key("aescbc", "key1", 'a'), plain), plainly, ""},
		"not encrypted, without identity":   {configuration(t, "secrets", key("aescbc", "key1", 'a')), plainly, "which are not encrypted, and there is no identity provider"},
		"by a wildcard":                     {configuration(t, "*.*", key("aescbc", "key1", 'b'), plain), with(key("aescbc", "key1", 'a')), "another secret"},
		"by the wildcard of its group":      {configuration(t, "*.", key("aescbc", "key1", 'a')), with(key("aescbc", "key1", 'a')), ""},
		"another resource is configured":    {configuration(t, "configmaps", key("aescbc", "key1", 'a'), plain), with(key("aescbc", "key1", 'a')), "stored secrets"},
		"another resource is stored":        {configuration(t, "configmaps", key("aescbc", "key1", 'a')), stored{configmap: []byte("k8s\x00")}, "stored configmaps"},
		"no configuration":                  {&Config{}, with(key("aescbc", "key1", 'a')), "key1 of aescbc"},
		"no configuration, not encrypted":   {&Config{}, plainly, ""},
		"a KMS plugin":                      {configuration(t, "secrets", plugin("vault", "v2"), plain), stored{name: kmsValue}, ""},
		"another KMS plugin":                {configuration(t, "secrets", plugin("other", "v2")), stored{name: kmsValue}, "encrypted by the KMS plugin vault (kms v2), which is not there"},
		"a KMS plugin of version 1":         {configuration(t, "secrets", plugin("vault", "v1")), stored{name: kmsValue}, "(kms v2), which is not there"},
		"what nobody knows":                 {configuration(t, "secrets", plain), stored{name: []byte("k8s:enc:rot13")}, "an unknown provider"},
		"a damaged value":                   {configuration(t, "secrets", key("secretbox", "key1", 'a')), stored{name: append(encrypted(t, name, key("secretbox", "key1", 'a')), 1)}, "another secret"},
	} {
		t.Run(about, func(t *testing.T) {
			got, err := test.config.Check(t.Context(), test.stored)
			if err != nil {
				t.Fatal(err)
			}
			if test.says == "" {
				if len(got) != 0 {
					t.Errorf("it finds %v", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0].Problem(), test.says) || got[0].Fix() == "" || strings.Contains(got[0].Problem(), "\n") {
				t.Errorf("it finds %+v, want %q", got, test.says)
			}
		})
	}
}

func TestEachKeyIsSampled(t *testing.T) {
	all := stored{}
	for i, b := range []byte("abcd") {
		for j := range 10 {
			name := fmt.Sprintf("/registry/secrets/default/%c%d", b, j)
			all[name] = encrypted(t, name, key("aescbc", fmt.Sprintf("key%d", i), b))
		}
	}
	got, err := configuration(t, "secrets", key("aescbc", "key1", 'b'), key("aescbc", "key2", 'x'), plain).Check(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, u := range got {
		keys = append(keys, u.Provider.Key)
	}
	slices.Sort(keys)
	if want := []string{"key0", "key2", "key3"}; !slices.Equal(keys, want) {
		t.Errorf("it finds %v, want %v", keys, want)
	}
}

func TestOneNameOfTwoKeys(t *testing.T) {
	all := stored{}
	for i := range 20 {
		name := fmt.Sprintf("/registry/secrets/default/%d", i)
		all[name] = encrypted(t, name, key("aescbc", "key1", "ab"[i%2]))
	}
	got, err := configuration(t, "secrets", key("aescbc", "key1", 'a'), plain).Check(t.Context(), all)
	if err != nil || len(got) != 1 || !got[0].Known {
		t.Errorf("it finds %+v, %v", got, err)
	}
}

func TestEveryMediaTypeIsAnObject(t *testing.T) {
	const name = "/registry/secrets/default/a"
	for _, provider := range []string{"aescbc", "aesgcm", "secretbox"} {
		c := configuration(t, "secrets", key(provider, "key1", 'a'))
		for _, object := range []string{"k8s\x00protobuf", `{"kind":"Secret"}`, "apiVersion: v1\nkind: Secret\n", "\xd9\xd9\xf7\xa0"} {
			data, err := c.transformers.TransformerForResource(secrets).TransformToStorage(t.Context(), []byte(object), value.DefaultContext(name))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Check(t.Context(), stored{name: data}); len(got) != 0 || err != nil {
				t.Errorf("%s, %q: it finds %v, %v", provider, object, got, err)
			}
		}
	}
}

// failing is a source that fails after all that it has.
type failing struct{ stored }

func (f failing) Read(ctx context.Context, paths []string, each func(path, key string, value []byte)) error {
	return errors.Join(f.stored.Read(ctx, paths, each), errors.New("no answer"))
}

func TestWhatWasFoundBeforeAnErrorIsKept(t *testing.T) {
	const name = "/registry/secrets/default/a"
	got, err := configuration(t, "secrets", key("aescbc", "key1", 'b')).Check(t.Context(), failing{stored{name: encrypted(t, name, key("aescbc", "key1", 'a'))}})
	if err == nil || len(got) != 1 {
		t.Errorf("it finds %v, %v", got, err)
	}
}

func TestWhatIsNoConfigurationIsNotShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "encryption-config.yaml")
	if err := os.WriteFile(path, []byte("secret: ["+secret('a')), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), path); err == nil || strings.Contains(err.Error(), secret('a')) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

// member runs an etcd in dir while do runs.
func member(t *testing.T, dir string, do func(*clientv3.Client)) {
	t.Helper()
	config := embed.NewConfig()
	config.Dir, config.LogLevel, config.ZapLoggerBuilder = dir, "error", embed.NewZapLoggerBuilder(zap.NewNop())
	socket := func(name string) url.URL { return url.URL{Scheme: "unix", Host: filepath.Base(dir) + name} }
	t.Chdir(filepath.Dir(dir)) // where its sockets are
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{socket("c:0")}, []url.URL{socket("c:0")}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{socket("p:0")}, []url.URL{socket("p:0")}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.TickMs, config.ElectionMs = 10, 50
	server, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	<-server.Server.ReadyNotify()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.Clients[0].Addr().Network() + "://" + server.Clients[0].Addr().String()}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	do(client)
}

// read is what a source has below secrets.
func read(t *testing.T, s Source) map[string]string {
	t.Helper()
	got := map[string]string{}
	if err := s.Read(t.Context(), []string{"secrets"}, func(_, key string, value []byte) { got[key] = string(value) }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSources(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etcd")
	database := Database{filepath.Join(dir, "member/snap/db"), "/registry"}
	want := map[string]string{"/registry/secrets/a/1": "second", "/registry/secrets/a/2": "again"}
	wants := func(name string, got map[string]string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
	member(t, dir, func(client *clientv3.Client) {
		for _, kv := range [][2]string{
			{"/registry/secrets/a/1", "first"}, {"/registry/secrets/a/1", "second"}, {"/registry/secrets/a/2", "deleted"}, {"/registry/secrets/a/3", "deleted"},
			{"/registry/secretsandmore/a", "other"}, {"/registry/configmaps/a/1", "other"}, {"/other/secrets/a/1", "other"},
		} {
			if _, err := client.Put(t.Context(), kv[0], kv[1]); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"/registry/secrets/a/2", "/registry/secrets/a/3"} {
			if _, err := client.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Put(t.Context(), "/registry/secrets/a/2", "again"); err != nil {
			t.Fatal(err)
		}
		wants("etcd", read(t, Etcd{client, "/registry"}))
		wants("etcd, with a prefix as people write it", read(t, Etcd{client, "registry"}))
		if err := database.Read(t.Context(), []string{"secrets"}, func(string, string, []byte) {}); !errors.Is(err, ErrInUse) {
			t.Errorf("while the member runs: %v", err)
		}
	})
	before, err := os.ReadFile(database.Path)
	if err != nil {
		t.Fatal(err)
	}
	wants("its database", read(t, database))
	if after, err := os.ReadFile(database.Path); err != nil || string(after) != string(before) {
		t.Errorf("the database was changed, %v", err)
	}
	for _, size := range []int{0, 100, 5000} {
		if err := os.WriteFile(database.Path, before[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := database.Read(t.Context(), []string{"secrets"}, func(string, string, []byte) {}); !errors.Is(err, ErrDamaged) {
			t.Errorf("of %d bytes: %v", size, err)
		}
	}
}

func TestOfManyTheFirstAndTheLastAreRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etcd")
	member(t, dir, func(client *clientv3.Client) {
		const n = maxRead + 3*pageSize
		name := func(i int) string { return fmt.Sprintf("/registry/secrets/a/%06d", i) }
		for i := n - 1; i >= 0; i -= 100 { // the last names are written first
			var puts []clientv3.Op
			for j := range 100 {
				puts = append(puts, clientv3.OpPut(name(i-j), "x"))
			}
			if _, err := client.Txn(t.Context()).Then(puts...).Commit(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Put(t.Context(), name(n-pageSize-1), "y"); err != nil {
			t.Fatal(err)
		}
		got := read(t, Etcd{client, "/registry"})
		if got[name(0)] == "" || got[name(n-1)] == "" || got[name(n-pageSize-1)] != "y" || len(got) == n {
			t.Errorf("it reads %d of %d: the first %q, the oldest %q, the newest %q", len(got), n, got[name(0)], got[name(n-1)], got[name(n-pageSize-1)])
		}
	})
}

func FuzzProviderOf(f *testing.F) {
	f.Add([]byte("k8s:enc:aescbc:v1:key1:data"))
	f.Add([]byte("k8s\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := ProviderOf(data)
		if len(p.Name)+len(p.Version)+len(p.Key) > maxHeader || p.Name == "" && p.Key == "" && p.Version == "" && !strings.HasPrefix(string(data), "k8s:enc:") {
			t.Errorf("%q is %+v", data, p)
		}
	})
}

func TestAllThatIsStoredIsCounted(t *testing.T) {
	member(t, t.TempDir(), func(client *clientv3.Client) { countsAll(t, client) })
}

func countsAll(t *testing.T, client *clientv3.Client) {
	t.Helper()
	put := func(key, value string) {
		if _, err := client.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	const many = pageSize + 7
	for i := range many {
		put(fmt.Sprintf("/registry/secrets/default/s%05d", i), "k8s:enc:aescbc:v1:key1:x")
	}
	put("/registry/secrets/default/t", "k8s:enc:aescbc:v1:key2:x")
	put("/registry/secrets/kube-system/u", "k8s\x00")
	put("/registry/minions/n", "k8s:enc:kms:v2:vault:x")
	put("/registry/secretsfoo/v", "k8s:enc:aescbc:v1:key1:x")
	got, err := CountStored(t.Context(), Etcd{KV: client, Prefix: "registry"}, []schema.GroupResource{secrets, {Resource: "nodes"}, secrets, {Resource: "pods"}})
	want := []Count{
		{secrets, Provider{"aescbc", "v1", "key1"}, many, "default/s00000"}, {secrets, Provider{"aescbc", "v1", "key2"}, 1, "default/t"},
		{secrets, Provider{Name: Identity}, 1, "kube-system/u"}, {schema.GroupResource{Resource: "nodes"}, Provider{"kms", "v2", "vault"}, 1, "n"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}
