// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// storage is an etcd that holds one value, or fails.
type storage struct {
	clientv3.KV
	value  string
	err    error
	before func()
}

func (s storage) Get(context.Context, string, ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if s.before != nil {
		s.before()
	}
	r := &clientv3.GetResponse{}
	if s.value != "" {
		r.Kvs = []*mvccpb.KeyValue{{Value: []byte(s.value)}}
	}
	return r, s.err
}

func TestEncryption(t *testing.T) {
	const (
		create = "POST /api/v1/namespaces/kube-system/secrets"
		remove = "DELETE /api/v1/namespaces/kube-system/secrets/khw-verify-a"
		good   = "k8s:enc:aescbc:v1:key1:\x00\x01:binary"
	)
	secret := &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}}
	gone := &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Success"}
	w := newFakeAPI(t)
	for name, test := range map[string]struct {
		storage       storage
		codes         map[string]int
		config        string
		problem, next string
		kept          bool // nothing was made that would have to be removed
	}{
		"encrypted":             {storage: storage{value: good}},
		"removed by another":    {storage: storage{value: good}, codes: map[string]int{remove: 404}},
		"plain":                 {storage: storage{value: "k8s\x00\n\fthe text"}, config: "/etc/e.yaml", problem: "plain text", next: "into /etc/e.yaml"},
		"never configured":      {storage: storage{value: "k8s\x00\n\f"}, problem: "plain text", next: "set --kube-apiserver-arg encryption-provider-config"},
		"encrypted in name":     {storage: storage{value: "k8s:enc:rot0:v1:a:the text"}, problem: "plain text"},
		"another etcd":          {problem: "is not in this etcd at /registry/secrets/kube-system/khw-verify-a", next: "etcd-prefix"},
		"etcd goes away":        {storage: storage{err: context.DeadlineExceeded}, problem: "does not answer in time", next: "etcd members"},
		"forbidden":             {codes: map[string]int{create: 403}, problem: "admin.kubeconfig", next: "system:masters", kept: true},
		"perhaps made":          {codes: map[string]int{create: 500}, problem: "has trouble", next: "etcd members"},
		"cannot be removed":     {storage: storage{value: good}, codes: map[string]int{remove: 403}, problem: "could not be removed", next: "delete secret -n kube-system khw-verify-a"},
		"plain and not removed": {storage: storage{value: "k8s\x00"}, codes: map[string]int{remove: 403}, problem: "could not be removed"},
	} {
		t.Run(name, func(t *testing.T) {
			w.forget()
			w.answers[create], w.answers[remove] = secret, gone
			for key, code := range test.codes {
				w.codes[key] = code
				delete(w.answers, key)
			}
			r := testSecretIn(t, w, test.storage).check(t.Context(), test.config)
			wants(t, r, test.problem, test.next)
			if slices.Contains(w.asked, remove) == test.kept {
				t.Errorf("asked %q", w.asked)
			}
			if strings.Contains(strings.Join(r.output, ""), "binary") {
				t.Errorf("it shows what is stored: %q", r.output)
			}
		})
	}
}

func testSecretIn(t *testing.T, w *fakeAPI, s storage) *testSecret {
	t.Helper()
	a, bad := newAPI(Target{Kubeconfig: w.files.AdminKubeconfig})
	if bad != nil {
		t.Fatal(bad)
	}
	return &testSecret{api: a, store: s, name: "khw-verify-a", key: "/registry/secrets/kube-system/khw-verify-a", text: "the text"}
}

func TestTheSecretIsRemovedWhenInterrupted(t *testing.T) {
	w := newFakeAPI(t)
	w.answers["POST /api/v1/namespaces/kube-system/secrets"] = &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}}
	ctx, interrupt := context.WithCancel(t.Context())
	testSecretIn(t, w, storage{err: context.Canceled, before: interrupt}).check(ctx, "")
	if want := http.MethodDelete + " /api/v1/namespaces/kube-system/secrets/khw-verify-a"; !slices.Contains(w.asked, want) {
		t.Errorf("asked %q, want %q", w.asked, want)
	}
}

func TestMayBeWritten(t *testing.T) {
	for err, want := range map[error]bool{context.DeadlineExceeded: true, errors.New("odd"): true} {
		if got := mayBeWritten(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
	a, bad := newAPI(Target{Kubeconfig: files(t, 1).AdminKubeconfig}) // nobody listens on port 1
	if bad != nil {
		t.Fatal(bad)
	}
	_, err := a.CoreV1().Secrets("x").Create(t.Context(), &corev1.Secret{}, metav1.CreateOptions{})
	if err == nil || mayBeWritten(err) {
		t.Errorf("a refused connection counts as written: %v", err)
	}
}

func TestAHungMemberOfEtcdIsDoneWithout(t *testing.T) {
	f := files(t, 6443)
	hung := "https://" + listen(t, "127.0.0.1:0").Addr().String()
	good := "https://" + serveTLS(t, listen(t, "127.0.0.1:0"), f, http.NotFoundHandler()).Listener.Addr().String()
	config := etcdclient.Config{Endpoints: []string{hung, good}, CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	got, bad := Target{Etcd: config}.reachable(ctx)
	if !slices.Equal(got, []string{good}) || bad != nil {
		t.Errorf("got %q, %v", got, bad)
	}
	config.Endpoints = []string{hung}
	if got, bad := (Target{Etcd: config}).reachable(ctx); got != nil || bad == nil || !strings.Contains(bad.Problem, hung) {
		t.Errorf("got %q, %v", got, bad)
	}
}
