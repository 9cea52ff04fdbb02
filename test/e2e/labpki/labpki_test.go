// SPDX-License-Identifier: Apache-2.0

// Package labpki runs on what a person who followed the lab has: RSA
// certificates by cfssl, the encryption configuration and the scheduler's file
// of 2018, and an external etcd of three members.
package labpki

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

func TestLabPKIWithThreeEtcdMembers(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.DefaultPorts())
	c.PrepareAsInTheLab()
	etcd := e.StartEtcd(c.Lab(""), 3)
	c.EtcdServers = etcd.URLs()
	before := c.Tree(c.Lab(""))

	c.StartReady()
	componentsAreHealthy(c)
	secretIsCiphertext(c, etcd)

	// One member gone: two of three are a quorum, and nobody notices.
	etcd.Processes[2].Kill()
	mustWork(c, "with-two-members")
	componentsAreHealthy(c)
	etcd.Start(2)
	member := c.EtcdClient(c.Lab(""), etcd.URLs()[2])
	c.Eventually("the member to have caught up", func(ctx context.Context) error {
		stored, err := cluster.Raw(ctx, member, "configmaps/default/with-two-members")
		if err == nil && len(stored) == 0 {
			err = errors.New("it has nothing")
		}
		return err
	})
	// Now the quorum hangs on the one that was away.
	etcd.Processes[0].Kill()
	mustWork(c, "with-another-two-members")

	after := c.Tree(c.Lab(""))
	maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasPrefix(name, "khw-controller.") })
	before["."], after["."] = "", ""
	if !maps.Equal(before, after) {
		t.Errorf("the lab's files have changed:\nbefore %v\nafter  %v", before, after)
	}
	c.StopInOrder()
}

// componentsAreHealthy is the lab's verification. Where the lab shows three etcd
// lines, today's apiserver shows one for all members.
func componentsAreHealthy(c *harness.Controller) {
	c.Helper()
	want := map[string]bool{"controller-manager": true, "scheduler": true, "etcd-0": true}
	c.Eventually("healthy componentstatuses", func(context.Context) error {
		got, err := cluster.ComponentHealth(c.Kubectl("get", "componentstatuses", "-o", "json"))
		if err == nil && !maps.Equal(got, want) {
			err = fmt.Errorf("componentstatuses say %v, want %v", got, want)
		}
		return err
	})
}

// mustWork wants a write to go through: at once, or when a new leader is found.
func mustWork(c *harness.Controller, name string) {
	c.Helper()
	c.Eventually("a write to go through", func(ctx context.Context) error {
		_, err := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx,
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
}

// secretIsCiphertext looks at what lab chapter 06's key has made of a secret.
func secretIsCiphertext(c *harness.Controller, etcd *harness.Etcd) {
	c.Helper()
	_, err := c.Client().CoreV1().Secrets(metav1.NamespaceDefault).Create(c.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "kubernetes-the-hard-way"},
		StringData: map[string]string{"mykey": "mydata"},
	}, metav1.CreateOptions{})
	c.Must(err)
	stored, err := cluster.Raw(c.Context(), etcd.Client(), "secrets/default/kubernetes-the-hard-way")
	c.Must(err)
	if !bytes.HasPrefix(stored, []byte("k8s:enc:aescbc:v1:key1:")) || strings.Contains(string(stored), "mydata") {
		c.Errorf("the stored secret begins with %q", stored[:min(len(stored), 32)])
	}
}
