// SPDX-License-Identifier: Apache-2.0

package freshroot

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

const secretText = "mysecretdata" // what the lab's chapter on encryption looks for

// labVerification goes through the verification steps of lab chapters 08 and 13
// that need no worker.
func labVerification(c *harness.Controller) {
	c.Helper()
	componentsAreHealthy(c)
	versionIsServed(c)
	secretIsCiphertext(c)
	deploymentRuns(c)
	namespaceGoesForGood(c)
}

// componentsAreHealthy is `kubectl get componentstatuses`.
func componentsAreHealthy(c *harness.Controller) {
	c.Helper()
	got, err := cluster.ComponentHealth(c.Kubectl("get", "componentstatuses", "-o", "json"))
	c.Must(err)
	want := map[string]bool{"controller-manager": true, "scheduler": true, "etcd-0": true}
	if !maps.Equal(got, want) {
		c.Errorf("componentstatuses say %v, want %v", got, want)
	}
}

// versionIsServed is `curl --cacert ca.pem https://…:6443/version`.
func versionIsServed(c *harness.Controller) {
	c.Helper()
	ca, err := os.ReadFile(c.Lab("ca.pem"))
	c.Must(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		c.Fatal("ca.pem holds no certificate")
	}
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
	defer client.CloseIdleConnections()
	resp, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/version", c.Ports.APIServer))
	c.Must(err)
	defer resp.Body.Close()
	var version struct{ GitVersion, Major, Minor string }
	c.Must(json.NewDecoder(resp.Body).Decode(&version))
	release, suffix, _ := strings.Cut(version.GitVersion, "+")
	if release != "v1.37.2" || (suffix != "" && !strings.HasPrefix(suffix, "khw")) || version.Major != "1" || version.Minor != "37" {
		c.Errorf("/version says %+v, want v1.37.2", version)
	}
}

func secretIsCiphertext(c *harness.Controller) {
	c.Helper()
	_, err := c.Client().CoreV1().Secrets(metav1.NamespaceDefault).Create(c.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "kubernetes-the-hard-way"},
		StringData: map[string]string{"mykey": secretText},
	}, metav1.CreateOptions{})
	c.Must(err)
	etcd := c.EtcdClient(c.Lab(""), fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdClient))
	stored, err := cluster.Raw(c.Context(), etcd, "secrets/default/kubernetes-the-hard-way")
	c.Must(err)
	if prefix := []byte("k8s:enc:aescbc:v1:key1:"); !bytes.HasPrefix(stored, prefix) {
		c.Errorf("the stored secret begins with %q, want %q", stored[:min(len(stored), 32)], prefix)
	}
	if bytes.Contains(stored, []byte(secretText)) {
		c.Error("the stored secret can be read")
	}
	if got := secretValue(c); got != secretText {
		c.Errorf("the secret reads %q, want %q", got, secretText)
	}
}

func secretValue(c *harness.Controller) string {
	c.Helper()
	s, err := c.Client().CoreV1().Secrets(metav1.NamespaceDefault).Get(c.Context(), "kubernetes-the-hard-way", metav1.GetOptions{})
	c.Must(err)
	return string(s.Data["mykey"])
}

// deploymentRuns wants the pods of a Deployment made and bound to nodes.
func deploymentRuns(c *harness.Controller) {
	c.Helper()
	const replicas = 6
	client := c.Client()
	c.Must(cluster.CreateNodes(c.Context(), client, 3))
	_, err := client.AppsV1().Deployments(metav1.NamespaceDefault).Create(c.Context(), cluster.Deployment("nginx", replicas), metav1.CreateOptions{})
	c.Must(err)
	c.Eventually("the Deployment's pods to be bound", func(ctx context.Context) error {
		pods, err := client.CoreV1().Pods(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{LabelSelector: "app=nginx"})
		if err != nil {
			return err
		}
		bound := 0
		for _, p := range pods.Items {
			if p.Spec.NodeName != "" {
				bound++
			}
		}
		if len(pods.Items) != replicas || bound != replicas {
			return fmt.Errorf("%d pods, %d of them bound, want %d", len(pods.Items), bound, replicas)
		}
		return nil
	})
}

// namespaceGoesForGood deletes a namespace that holds something, which takes the
// controller-manager and every API in it.
func namespaceGoesForGood(c *harness.Controller) {
	c.Helper()
	client := c.Client()
	const name = "short-lived"
	_, err := client.CoreV1().Namespaces().Create(c.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	c.Must(err)
	_, err = client.CoreV1().ConfigMaps(name).Create(c.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "inside"}}, metav1.CreateOptions{})
	c.Must(err)
	c.Must(client.CoreV1().Namespaces().Delete(c.Context(), name, metav1.DeleteOptions{}))
	c.Eventually("the namespace to go", func(ctx context.Context) error {
		ns, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.New(string(ns.Status.Phase))
	})
}
