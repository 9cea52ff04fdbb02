// SPDX-License-Identifier: Apache-2.0

package rotateca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// one is a controller on the machine itself.
type one struct{ *harness.Controller }

// rotates runs rotate-ca there, and returns both its outputs.
func (c one) rotates(args ...string) (string, error) {
	args = slices.Concat([]string{"certs", rotateCA}, args, c.RunArgs())
	out, err := exec.CommandContext(c.Context(), c.Binary(), args...).CombinedOutput()
	return string(out), err
}

// refuses wants it to fail with this in one line.
func (c one) refuses(says string, args ...string) {
	c.Helper()
	out, err := c.rotates(args...)
	if err == nil || !strings.Contains(out, says) || strings.Count(out, "\n") != 1 {
		c.Errorf("%v: got %v, %q, want one line with %q", args, err, out, says)
	}
}

func (c one) restart() {
	c.Helper()
	c.StopInOrder()
	c.StartReady()
	c.Eventually("both leases to be held", func(ctx context.Context) error { return cluster.BothHeld(ctx, c.Client()) })
}

// kept is a copy of the admin's kubeconfig as it is now.
func (c one) kept(name string) string {
	c.Helper()
	data, err := os.ReadFile(c.Lab("admin.kubeconfig"))
	c.Must(err)
	c.Must(os.WriteFile(c.Path(name), data, 0o600))
	return c.Path(name)
}

func (c one) serves(kubeconfig string) error {
	c.Helper()
	client, err := cluster.Client(kubeconfig)
	c.Must(err)
	_, err = client.CoreV1().Namespaces().Get(c.Context(), metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

// TestRotateCAOfOneWithItsEtcd has a CA of the user's take the place of one that an
// external etcd has too.
func TestRotateCAOfOneWithItsEtcd(t *testing.T) {
	e := harness.New(t)
	c := one{e.Controller("controller", e.FreePorts())}
	c.PrepareAsInTheLab()
	files := e.Path("etcd-files") // as lab chapter 07 has them in /etc/etcd
	c.Must(os.CopyFS(files, os.DirFS(c.Lab(""))))
	etcd := e.StartEtcd(files, 1)
	c.EtcdServers = etcd.URLs()
	c.StartReady()
	c.Eventually("both leases to be held", func(ctx context.Context) error { return cluster.BothHeld(ctx, c.Client()) })
	old := c.kept("old.kubeconfig")
	company := e.Controller("company", c.Ports)
	company.PrepareAsInTheLab()

	out, err := c.rotates("--begin", "--dry-run")
	if err != nil || !strings.Contains(out, "ca.pem: trusts both") {
		t.Errorf("got %v: %s", err, out)
	}
	c.refuses("no rotation has begun here")
	if out, err := c.rotates("--begin", "--ca", company.Lab("ca.pem"), "--ca-key", company.Lab("ca-key.pem")); err != nil || !strings.Contains(out, "signed by the next CA") {
		t.Fatalf("got %v: %s", err, out)
	}
	c.Must(c.serves(old))
	c.Must(c.serves(c.Lab("admin.kubeconfig")))
	c.refuses(etcd.URLs()[0]+", which has the old CA too, has to trust the next one", "--finish")
	mustBeOf(c, company.Lab("ca.pem"))

	// Its files are the user's to replace, and the user does.
	for _, name := range []string{"ca.pem", "kubernetes.pem", "kubernetes-key.pem"} {
		data, err := os.ReadFile(c.Lab(name))
		c.Must(err)
		c.Must(os.WriteFile(files+"/"+name, data, 0o600))
	}
	etcd.Processes[0].Kill()
	etcd.Start(0)
	c.refuses("systemctl restart khw-controller", "--finish")
	c.restart()
	c.Eventually("the last step", func(context.Context) error {
		out, err := c.rotates("--finish")
		if err != nil {
			return errors.New(out)
		}
		return nil
	})
	c.restart()
	var unknown x509.UnknownAuthorityError
	if err := c.serves(old); !errors.As(err, &unknown) {
		t.Errorf("with the old kubeconfig: %v", err)
	}
	c.Must(c.serves(c.Lab("admin.kubeconfig")))
	c.refuses("no rotation has begun here")
	c.StopInOrder()
}

// mustBeOf wants what the controller-manager signs, for a kubelet say, to be signed by
// a CA as soon as it has taken that over.
func mustBeOf(c one, ca string) {
	c.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.Must(err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "somebody"}}, key)
	c.Must(err)
	cas, err := cert.CertsFromFile(ca)
	c.Must(err)
	client := c.Client().CertificatesV1().CertificateSigningRequests()
	tries := 0
	c.Eventually("a certificate of the next CA", func(ctx context.Context) error {
		tries++
		csr, err := client.Create(ctx, &certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("somebody-%d", tries)},
			Spec: certificatesv1.CertificateSigningRequestSpec{
				Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}),
				SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test"}}
		if _, err := client.UpdateApproval(ctx, csr.Name, csr, metav1.UpdateOptions{}); err != nil {
			return err
		}
		for len(csr.Status.Certificate) == 0 {
			if csr, err = client.Get(ctx, csr.Name, metav1.GetOptions{}); err != nil {
				return err
			}
		}
		signed, err := cert.ParseCertsPEM(csr.Status.Certificate)
		if err != nil {
			return err
		}
		return signed[0].CheckSignatureFrom(cas[0])
	})
}
