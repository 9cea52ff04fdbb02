// SPDX-License-Identifier: Apache-2.0

// Package inputs runs on files and addresses as people have them and as the
// stock daemons take them: a CA that is being rotated, chains, several keys,
// etcd URLs and server addresses in other forms than the lab's.
package inputs

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
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	certutil "k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

func TestWhatStockStartsWithStarts(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	former := certificates(c, c.Lab("ca.pem"))[0]
	useChains(c)
	next := newAuthority(c)
	appendTo(c, c.Lab("ca.pem"), next.pem())
	appendTo(c, c.Lab("former-service-account.pem"), next.pem())
	etcd := e.StartEtcd(c.Lab(""), 1)
	url := strings.Replace(etcd.URLs()[0], "https", "HTTPS", 1) + "/"

	// The stock apiserver and scheduler start with all of it.
	stock := e.Stock("stock", c, etcd)
	keys := "service-account-key-file=" + c.Lab("former-service-account.pem")
	apiserver := stock.Start(lab.APIServer, "--etcd-servers="+url, "--"+keys)
	e.WithinAlive(apiserver, harness.Patience, "the stock apiserver", func(ctx context.Context) error {
		return cluster.Readyz(ctx, stock.Client())
	})
	scheduler := stock.Start(lab.Scheduler)
	e.WithinAlive(scheduler, harness.Patience, "the stock scheduler to lead", func(ctx context.Context) error {
		return leads(ctx, stock.Client(), "kube-scheduler")
	})
	scheduler.Kill()
	apiserver.Kill()

	c.EtcdServers = []string{url}
	c.Args = []string{"--kube-apiserver-arg", "service-account-key-file=" + c.Lab("service-account.pem"), "--kube-apiserver-arg", keys}
	if out, code := c.Check(); code != 0 {
		t.Errorf("check: exit code %d: %s", code, out)
	}
	c.StartReady()

	if err := sign(c).CheckSignatureFrom(former); err != nil {
		t.Errorf("not signed by the CA that ca-key.pem belongs to: %v", err)
	}
	publishes(c, former, next.cert)
	c.StopInOrder()
}

// appendTo adds data to the end of a file.
func appendTo(c *harness.Controller, path string, data []byte) {
	c.Helper()
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.Fatal(err)
	}
	c.Must(os.WriteFile(path, slices.Concat(before, data), 0o600))
}

func certificates(c *harness.Controller, path string) []*x509.Certificate {
	c.Helper()
	certs, err := certutil.CertsFromFile(path)
	c.Must(err)
	return certs
}

// useChains has an intermediate CA sign the serving certificate and the
// scheduler's, and has the latter connect to the localhost.
func useChains(c *harness.Controller) {
	c.Helper()
	root := readAuthority(c)
	middle := root.issue(c, &x509.Certificate{
		Subject: pkix.Name{CommonName: "middle"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	})
	before := certificates(c, c.Lab("kubernetes.pem"))[0]
	serving := middle.issue(c, &x509.Certificate{
		Subject: before.Subject, DNSNames: before.DNSNames, IPAddresses: before.IPAddresses,
		KeyUsage: before.KeyUsage, ExtKeyUsage: before.ExtKeyUsage,
	})
	c.Must(os.WriteFile(c.Lab("kubernetes.pem"), slices.Concat(serving.pem(), middle.pem()), 0o644))
	c.Must(os.WriteFile(c.Lab("kubernetes-key.pem"), serving.keyPEM(c), 0o600))

	config, err := clientcmd.LoadFromFile(c.Lab("kube-scheduler.kubeconfig"))
	c.Must(err)
	client := middle.issue(c, &x509.Certificate{
		Subject:  pkix.Name{CommonName: "system:kube-scheduler", Organization: []string{"system:kube-scheduler"}},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	for _, user := range config.AuthInfos {
		user.ClientCertificateData, user.ClientKeyData = slices.Concat(client.pem(), middle.pem()), client.keyPEM(c)
	}
	for _, cl := range config.Clusters {
		cl.Server = fmt.Sprintf("https://localhost:%d/", c.Ports.APIServer)
	}
	c.Must(clientcmd.WriteToFile(*config, c.Lab("kube-scheduler.kubeconfig")))
}

func leads(ctx context.Context, client *kubernetes.Clientset, lease string) error {
	l, err := client.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, lease, metav1.GetOptions{})
	if err == nil && (l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "") {
		err = errors.New("nobody leads")
	}
	return err
}

// sign has the controller-manager sign a client's certificate.
func sign(c *harness.Controller) *x509.Certificate {
	c.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.Must(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "somebody"}}, key)
	c.Must(err)
	requests := c.Client().CertificatesV1().CertificateSigningRequests()
	csr, err := requests.Create(c.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "somebody"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	c.Must(err)
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test",
	})
	_, err = requests.UpdateApproval(c.Context(), csr.Name, csr, metav1.UpdateOptions{})
	c.Must(err)
	var signed []byte
	c.Eventually("a signed certificate", func(ctx context.Context) error {
		csr, err := requests.Get(ctx, "somebody", metav1.GetOptions{})
		if err == nil && len(csr.Status.Certificate) == 0 {
			err = errors.New("not signed")
		}
		if err == nil {
			signed = csr.Status.Certificate
		}
		return err
	})
	certs, err := certutil.ParseCertsPEM(signed)
	c.Must(err)
	return certs[0]
}

// publishes wants pods to be given exactly some CAs.
func publishes(c *harness.Controller, want ...*x509.Certificate) {
	c.Helper()
	c.Eventually("the root CAs", func(ctx context.Context) error {
		m, err := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		if err != nil {
			return err
		}
		got, err := certutil.ParseCertsPEM([]byte(m.Data["ca.crt"]))
		if err == nil && !slices.EqualFunc(got, want, (*x509.Certificate).Equal) {
			err = fmt.Errorf("%d CAs are published, want %d", len(got), len(want))
		}
		return err
	})
}
