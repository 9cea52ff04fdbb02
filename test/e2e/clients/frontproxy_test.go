// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// TestAnAPIThatAsksWhoAsks does what docs/aggregation.md says, and has an aggregated API
// believe a certificate only, of the CA that the cluster tells it.
func TestAnAPIThatAsksWhoAsks(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	c.FrontProxy()
	// A Service that has no pods is reached by its name.
	args := slices.DeleteFunc(e.FrontProxyArgs(c.Lab("")), func(arg string) bool { return strings.HasPrefix(arg, "enable-aggregator-routing=") })
	for _, arg := range args {
		c.Args = append(c.Args, "--kube-apiserver-arg", arg)
	}
	c.StartReady()

	api := &aggregated{}
	api.start(c, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: toldCAs(c)})
	awaitWidget(c)
	if r := api.asked.Load(); r.Header.Get("X-Remote-User") != "admin" || r.TLS.PeerCertificates[0].Subject.CommonName != "front-proxy" {
		e.Errorf("the backend is told that %q asks, by %s", r.Header.Get("X-Remote-User"), r.TLS.PeerCertificates[0].Subject)
	}
	c.StopInOrder()
}

// toldCAs are the CAs that the cluster tells aggregated APIs to believe.
func toldCAs(c *harness.Controller) *x509.CertPool {
	c.Helper()
	pool := x509.NewCertPool()
	c.Eventually("the CA of the front proxy", func(ctx context.Context) error {
		told, err := c.Client().CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "extension-apiserver-authentication", metav1.GetOptions{})
		if err == nil && !pool.AppendCertsFromPEM([]byte(told.Data["requestheader-client-ca-file"])) {
			err = fmt.Errorf("it is told %v", told.Data)
		}
		return err
	})
	return pool
}
