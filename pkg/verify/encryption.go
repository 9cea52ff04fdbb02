// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// TestSecretPrefix begins the name of the secret that is written, in kube-system,
// to see how it is stored.
const TestSecretPrefix = "khw-verify-"

// removeTimeout is how long removing the secret may take, interrupted or not.
const removeTimeout = 5 * time.Second

// encrypted begins what is stored encrypted
// (k8s.io/apiserver/pkg/server/options/encryptionconfig).
const encrypted = "k8s:enc:"

// checkEncryption is the lab's chapter 13: a secret is written, read in etcd, and
// removed.
func checkEncryption(ctx context.Context, t Target) checkResult {
	a, bad := newAPI(t)
	if bad != nil {
		return bad.result()
	}
	endpoints, bad := t.reachable(ctx)
	if bad != nil {
		return bad.result()
	}
	store, err := t.Etcd.Client(ctx, endpoints...)
	if err != nil {
		return t.etcdFailure(endpoints[0], err).result()
	}
	defer store.Close()
	s := &testSecret{api: a, store: store, name: TestSecretPrefix + rand.String(10), text: rand.String(32)}
	s.key = path.Join(t.EtcdPrefix, "secrets", metav1.NamespaceSystem, s.name)
	// Nothing is written where it could not be read.
	if _, err := store.Get(ctx, s.key, clientv3.WithCountOnly()); err != nil {
		return cannotRead(err)
	}
	return s.check(ctx, t.EncryptionConfig)
}

func cannotRead(err error) checkResult {
	_, words := connerr.Explain(err)
	return failed("etcd, to be read, "+words, "see the step etcd members")
}

// reachable returns the endpoints that can be connected to, or why the first of
// them cannot. All are tried at once: one that hangs keeps no other from it.
func (t Target) reachable(ctx context.Context) (endpoints []string, bad *Failure) {
	ctx, cancel := context.WithTimeout(ctx, etcdclient.MemberTimeout)
	defer cancel()
	errs := make([]error, len(t.Etcd.Endpoints))
	var wg sync.WaitGroup
	for i, e := range t.Etcd.Endpoints {
		wg.Go(func() { errs[i] = t.Etcd.Dial(ctx, e) })
	}
	wg.Wait()
	for i, err := range errs {
		if err == nil {
			endpoints = append(endpoints, t.Etcd.Endpoints[i])
		}
	}
	if len(endpoints) == 0 {
		return nil, t.etcdFailure(t.Etcd.Endpoints[0], errs[0])
	}
	return endpoints, nil
}

// testSecret is a secret that is written to see how etcd holds it.
type testSecret struct {
	api       *api
	store     clientv3.KV
	name, key string
	text      string
}

// check writes the secret, reads it in etcd and removes it. config is the
// apiserver's encryption config, "" for none.
func (s *testSecret) check(ctx context.Context, config string) (r checkResult) {
	_, err := s.api.CoreV1().Secrets(metav1.NamespaceSystem).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: s.name},
		StringData: map[string]string{"test": s.text},
	}, metav1.CreateOptions{})
	if err != nil && !mayBeWritten(err) {
		return s.api.explain(err).result()
	}
	defer func() {
		if err := s.remove(ctx); err != nil {
			r.fail("the secret kube-system/"+s.name+" could not be removed: "+connerr.OneLine(err), "khw-controller kubectl delete secret -n kube-system "+s.name)
		}
	}()
	if err != nil {
		return s.api.explain(err).result()
	}
	stored, err := s.store.Get(ctx, s.key)
	if err != nil {
		return cannotRead(err)
	}
	if len(stored.Kvs) == 0 {
		return failed("the secret is not in this etcd at "+s.key, "see whether --etcd-servers and --kube-apiserver-arg etcd-prefix are those of the apiserver")
	}
	return evaluateStored(s.key, stored.Kvs[0].Value, s.text, config)
}

// mayBeWritten reports whether a request that failed with err may have had its
// effect all the same.
func mayBeWritten(err error) bool {
	var answered apierrors.APIStatus
	if errors.As(err, &answered) {
		return answered.Status().Code >= http.StatusInternalServerError
	}
	reason, _ := connerr.Explain(err)
	return reason == connerr.NoAnswer || reason == connerr.Closed || reason == connerr.Other
}

// remove removes the secret, even when ctx has ended.
func (s *testSecret) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	err := s.api.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, s.name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func evaluateStored(key string, value []byte, text, config string) (r checkResult) {
	if !bytes.HasPrefix(value, []byte(encrypted)) || bytes.Contains(value, []byte(text)) {
		next := "put aescbc before identity, for secrets, into " + config + " as in lab chapter 06, and restart khw-controller"
		if config == "" {
			next = "set --kube-apiserver-arg encryption-provider-config as in the lab, and restart khw-controller"
		}
		return failed("secrets are stored in plain text", next+"; then write them anew: kubectl get secrets -A -o json | kubectl replace -f -")
	}
	// k8s:enc:aescbc:v1:key1: and what is encrypted.
	parts := bytes.SplitAfterN(value, []byte(":"), 6)
	r.output = []string{fmt.Sprintf("%s begins with %q", key, bytes.Join(parts[:len(parts)-1], nil))}
	return r
}
