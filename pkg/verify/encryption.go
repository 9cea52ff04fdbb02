// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"context"
	"crypto/tls"
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
)

// CanaryPrefix begins the name of the secret that is written, in kube-system, to
// see how it is stored.
const CanaryPrefix = "khw-verify-"

// removeTimeout is how long removing the canary may take, interrupted or not.
const removeTimeout = 5 * time.Second

// encrypted begins what is stored encrypted
// (k8s.io/apiserver/pkg/server/options/encryptionconfig).
const encrypted = "k8s:enc:"

// lookAtEncryption is the lab's chapter 13: a secret is written, looked at in
// etcd, and removed.
func lookAtEncryption(ctx context.Context, t Target) observation {
	a, bad := newAPI(t.Kubeconfig)
	if bad != nil {
		return observation{findings: []Finding{*bad}}
	}
	config, bad := t.Etcd.tls()
	if bad != nil {
		return observation{findings: []Finding{*bad}}
	}
	servers, bad := t.Etcd.reachable(ctx, config)
	if bad != nil {
		return observation{findings: []Finding{*bad}}
	}
	store, err := etcdClient(ctx, servers, config)
	if err != nil {
		return failed("etcd cannot be read: "+oneLine(err), "see the step etcd members")
	}
	defer store.Close()
	c := &canary{api: a, store: store, name: CanaryPrefix + rand.String(10), text: rand.String(32)}
	c.key = path.Join(t.Etcd.Prefix, "secrets", metav1.NamespaceSystem, c.name)
	// Nothing is written where it could not be read.
	if _, err := store.Get(ctx, c.key, clientv3.WithCountOnly()); err != nil {
		_, words := diagnose(err)
		return failed("etcd, to be read, "+words, "see the step etcd members")
	}
	return c.fly(ctx, t.EncryptionConfig)
}

// reachable returns the servers that can be connected to, or why the first of
// them cannot. All are tried at once: one that hangs keeps no other from it.
func (e Etcd) reachable(ctx context.Context, config *tls.Config) (servers []string, bad *Finding) {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	errs := make([]error, len(e.Servers))
	var wg sync.WaitGroup
	for i, s := range e.Servers {
		wg.Go(func() { errs[i] = shakeHands(ctx, s, config) })
	}
	wg.Wait()
	for i, err := range errs {
		if err == nil {
			servers = append(servers, e.Servers[i])
		}
	}
	if len(servers) == 0 {
		return nil, explainMember(e.Servers[0], errs[0])
	}
	return servers, nil
}

// canary is a secret on its way to etcd.
type canary struct {
	api       *api
	store     clientv3.KV
	name, key string
	text      string
}

func (c *canary) fly(ctx context.Context, config string) (o observation) {
	_, err := c.api.CoreV1().Secrets(metav1.NamespaceSystem).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: c.name},
		StringData: map[string]string{"canary": c.text},
	}, metav1.CreateOptions{})
	if err != nil && !mayBeWritten(err) {
		return c.api.unanswered(err)
	}
	defer func() {
		if err := c.remove(ctx); err != nil {
			o.find("the secret kube-system/"+c.name+" could not be removed: "+oneLine(err), "khw-controller kubectl delete secret -n kube-system "+c.name)
		}
	}()
	if err != nil {
		return c.api.unanswered(err)
	}
	stored, err := c.store.Get(ctx, c.key)
	if err != nil {
		_, words := diagnose(err)
		return failed("etcd, to be read, "+words, "see the step etcd members")
	}
	if len(stored.Kvs) == 0 {
		return failed("the secret is not in this etcd at "+c.key, "see whether --etcd-servers and --kube-apiserver-arg etcd-prefix are those of the apiserver")
	}
	return judgeStored(c.key, stored.Kvs[0].Value, c.text, config)
}

// mayBeWritten says whether a request that failed with err may have had its
// effect all the same.
func mayBeWritten(err error) bool {
	var answered apierrors.APIStatus
	if errors.As(err, &answered) {
		return answered.Status().Code >= http.StatusInternalServerError
	}
	kind, _ := diagnose(err)
	return kind == silent || kind == closed || kind == otherFault
}

// remove removes the canary, even when ctx has ended.
func (c *canary) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	err := c.api.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, c.name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func judgeStored(key string, value []byte, text, config string) (o observation) {
	if !bytes.HasPrefix(value, []byte(encrypted)) || bytes.Contains(value, []byte(text)) {
		next := "put aescbc before identity, for secrets, into " + config + " as in lab chapter 06, and restart khw-controller"
		if config == "" {
			next = "set --kube-apiserver-arg encryption-provider-config as in the lab, and restart khw-controller"
		}
		return failed("secrets are stored in plain text", next+"; then write them anew: kubectl get secrets -A -o json | kubectl replace -f -")
	}
	// k8s:enc:aescbc:v1:key1: and what is encrypted.
	parts := bytes.SplitAfterN(value, []byte(":"), 6)
	o.output = []string{fmt.Sprintf("%s begins with %q", key, bytes.Join(parts[:len(parts)-1], nil))}
	return o
}
