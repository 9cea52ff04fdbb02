// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	restclient "k8s.io/client-go/rest"
	ktesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/encryption"
)

// world is a cluster of controllers on what an etcd holds.
type world struct {
	*testing.T
	client      *fake.Clientset
	metadata    *metadatafake.FakeMetadataClient
	controllers []*controller
	said        []string
	rotations   int

	mu     sync.Mutex
	stored map[string]string
}

// controller is one of them.
type controller struct {
	*Follower
	world *world
	dir   string

	mu      sync.Mutex
	inForce []byte
	stuck   bool // its apiserver takes nothing over
}

func (c *controller) LoopbackClient() (*restclient.Config, error) { return &restclient.Config{}, nil }

func (c *controller) UseEncryptionConfig(data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stuck {
		c.inForce = data
	}
	return nil
}

func (c *controller) EncryptionInForce(string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return encryption.Hash(c.inForce), nil
}

// encrypt is what the apiserver of c stores of a secret.
func (c *controller) encrypt(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := filepath.Join(c.dir, "in-force")
	c.world.must(os.WriteFile(path, c.inForce, 0o600))
	loaded, err := encryptionconfig.LoadEncryptionConfig(c.world.Context(), path, false, "test")
	c.world.must(err)
	transformer := encryptionconfig.StaticTransformers(loaded.Transformers).TransformerForResource(schema.GroupResource{Resource: "secrets"})
	data, err := transformer.TransformToStorage(c.world.Context(), []byte("k8s\x00"), value.DefaultContext(key))
	c.world.must(err)
	return string(data)
}

// Get implements clientv3.KV.
func (w *world) Get(_ context.Context, key string, options ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	op := clientv3.OpGet(key, options...)
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{Revision: 1}}
	for _, k := range slices.Sorted(maps.Keys(w.stored)) {
		if k >= key && k < string(op.RangeBytes()) {
			r.Kvs = append(r.Kvs, &mvccpb.KeyValue{Key: []byte(k), Value: []byte(w.stored[k])})
		}
	}
	return r, nil
}

type kv struct {
	clientv3.KV
	*world
}

func (k kv) Get(ctx context.Context, key string, options ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return k.world.Get(ctx, key, options...)
}

// withKey is the lab's configuration, with other providers or none.
func withKey(others ...string) string {
	return "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n- resources: [secrets]\n  providers:\n  - aescbc: {keys: [{name: key1, secret: " + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))) + "}]}\n" + strings.Join(others, "")
}

const plain = "  - identity: {}\n"

// newWorld is a cluster with so many controllers that have this configuration, and
// some secrets.
func newWorld(t *testing.T, count int, config string) *world {
	t.Helper()
	w := &world{T: t, client: fake.NewClientset(), stored: map[string]string{}}
	w.client.Resources = []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{
		{Name: "secrets", Kind: "Secret", Namespaced: true, Verbs: metav1.Verbs{"list", "patch"}},
		{Name: "pods", Kind: "Pod", Namespaced: true, Verbs: metav1.Verbs{"list", "patch"}},
		{Name: "secrets/unheard-of", Kind: "Secret", Namespaced: true, Verbs: metav1.Verbs{"list", "patch"}},
		{Name: "bindings", Kind: "Binding", Namespaced: true, Verbs: metav1.Verbs{"create"}},
	}}}
	w.client.PrependReactor("*", "configmaps", w.versioned())
	key := signingKey(t)
	for i := range count {
		c := &controller{world: w, dir: t.TempDir(), inForce: []byte(config)}
		c.Follower = &Follower{
			Controller: fmt.Sprintf("controller-%d", i), Address: fmt.Sprintf("10.240.0.1%d:6443", i), APIServer: c,
			Path: filepath.Join(c.dir, "encryption-config.yaml"), Change: filepath.Join(c.dir, "change"), Inventory: filepath.Join(c.dir, "made"),
			SigningKey: key, Reread: func(string) {},
			Unreadable: func(context.Context, *encryption.Config) ([]encryption.Unreadable, error) {
				return nil, nil
			},
		}
		w.must(os.WriteFile(c.Path, c.inForce, 0o600))
		w.controllers = append(w.controllers, c)
		w.serve(c)
	}
	scheme := runtime.NewScheme()
	w.must(metav1.AddMetaToScheme(scheme))
	var objects []runtime.Object
	for i := range 5 {
		name := fmt.Sprintf("s%d", i)
		objects = append(objects, &metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: "u", ResourceVersion: "1"},
		})
		key := "/registry/secrets/default/" + name
		w.stored[key] = w.controllers[0].encrypt(key)
	}
	w.metadata = metadatafake.NewSimpleMetadataClient(scheme, objects...)
	w.metadata.PrependReactor("patch", "*", func(a ktesting.Action) (bool, runtime.Object, error) {
		p := a.(ktesting.PatchAction)
		if p.GetResource().Resource != "secrets" {
			w.Errorf("%s are rewritten", p.GetResource().Resource)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		key := "/registry/secrets/" + p.GetNamespace() + "/" + p.GetName()
		w.stored[key] = w.controllers[0].encrypt(key)
		return true, &metav1.PartialObjectMetadata{}, nil
	})
	return w
}

// versioned keeps one ConfigMap, and refuses who writes another than the last one, which
// the fake client does not.
func (w *world) versioned() ktesting.ReactionFunc {
	var there *corev1.ConfigMap
	version := 0
	return func(a ktesting.Action) (bool, runtime.Object, error) {
		gr := schema.GroupResource{Resource: "configmaps"}
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, creates := a.(ktesting.UpdateAction); there == nil && (!creates || a.GetVerb() != "create") {
			return true, nil, apierrors.NewNotFound(gr, Name)
		}
		conflict := apierrors.NewConflict(gr, Name, errors.New("changed"))
		switch a := a.(type) {
		case ktesting.DeleteActionImpl:
			if *a.GetDeleteOptions().Preconditions.ResourceVersion != there.ResourceVersion {
				return true, nil, conflict
			}
			there = nil
			return true, nil, nil
		case ktesting.UpdateAction: // a CreateAction is one too
			m := a.GetObject().(*corev1.ConfigMap).DeepCopy()
			switch {
			case a.GetVerb() == "create" && there != nil:
				return true, nil, apierrors.NewAlreadyExists(gr, Name)
			case a.GetVerb() == "update" && m.ResourceVersion != there.ResourceVersion:
				return true, nil, conflict
			}
			version++
			m.ResourceVersion = fmt.Sprint(version)
			there = m
		}
		return true, there.DeepCopy(), nil
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// serve has the service kubernetes lead to c.
func (w *world) serve(c *controller) {
	host, _, _ := strings.Cut(c.Address, ":")
	_, err := w.client.DiscoveryV1().EndpointSlices("default").Create(w.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: c.Controller, Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{host}}}, Ports: []discoveryv1.EndpointPort{{Port: ptr.To(int32(6443))}},
	}, metav1.CreateOptions{})
	w.must(err)
}

// follow has these controllers follow until the test, or what is returned, ends it.
func (w *world) follow(all ...*controller) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var wg sync.WaitGroup
	for _, c := range all {
		c.lookWith(ctx, w.client)
		wg.Go(func() {
			for ctx.Err() == nil {
				c.lookWith(ctx, w.client)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	w.Cleanup(stop)
	return stop
}

// rotator is one on the first controller.
func (w *world) rotator() *Rotator {
	first := w.controllers[0]
	return &Rotator{
		Client: w.client, Discovery: w.client.Discovery().(*fakediscovery.FakeDiscovery), Metadata: w.metadata,
		Etcd: encryption.Etcd{KV: kv{world: w}, Prefix: "/registry"}, Path: first.Path, SigningKey: first.SigningKey,
		Say:      func(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) },
		Progress: func(string, int, int) {},
		pace:     pace{settle: time.Millisecond, takeover: 10 * time.Second, problem: time.Minute, poll: 5 * time.Millisecond},
		// A new key has a new name.
		now: func() time.Time { w.rotations++; return time.Now().Add(time.Duration(w.rotations) * time.Second) },
	}
}

// headers are with what is stored, each once.
func (w *world) headers() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, data := range w.stored {
		all = append(all, encryption.ProviderOf([]byte(data)).Short())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// providers is what a file encrypts with.
func (w *world) providers(path string) string {
	w.Helper()
	config, err := encryption.Load(w.Context(), path)
	w.must(err)
	return strings.Join(Describe(config), "; ")
}

// signingKey is a file with a private key.
func signingKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "service-account-key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
