// SPDX-License-Identifier: Apache-2.0

package controllermanager

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
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	certutil "k8s.io/client-go/util/cert"
	stock "k8s.io/kubernetes/pkg/controller/certificates/signer"
	signerconfig "k8s.io/kubernetes/pkg/controller/certificates/signer/config"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

// authority makes the lab's files with a CA of their own.
func authority(t *testing.T) pki.Files {
	t.Helper()
	f := pki.FilesIn(filepath.Join(t.TempDir(), "kubernetes"))
	if err := pki.Generate(f, pki.Spec{AdvertiseAddress: net.ParseIP("192.0.2.10"), ServiceIP: net.ParseIP("10.32.0.1"), ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	return f
}

// bundle writes the concatenation of some files to a new one.
func bundle(t *testing.T, files ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	join(t, path, files...)
	return path
}

func join(t *testing.T, path string, files ...string) {
	t.Helper()
	var all []byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
}

func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	certs, err := certutil.CertsFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

// csrSigner is a stock signing controller, and the API that it watches.
type csrSigner struct {
	client   *fake.Clientset
	requests int
}

// startSigner runs the stock controller with two files until the test ends.
func startSigner(t *testing.T, certFile, keyFile string) (*csrSigner, error) {
	t.Helper()
	s := &csrSigner{client: fake.NewClientset()}
	factory := informers.NewSharedInformerFactory(s.client, 0)
	c, err := stock.NewKubeletClientCSRSigningController(t.Context(), s.client, factory.Certificates().V1().CertificateSigningRequests(), certFile, keyFile, time.Hour)
	if err != nil {
		return nil, err
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	go c.Run(t.Context(), 1)
	return s, nil
}

// sign has a kubelet's certificate be signed.
func (s *csrSigner) sign(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:a", Organization: []string{"system:nodes"}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	s.requests++
	name := fmt.Sprintf("csr-%d", s.requests)
	_, err = s.client.CertificatesV1().CertificateSigningRequests().Create(t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName,
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
		Status: certificatesv1.CertificateSigningRequestStatus{Conditions: []certificatesv1.CertificateSigningRequestCondition{
			{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var signed []byte
	eventually(t, "a signed certificate", func() bool {
		csr, err := s.client.CertificatesV1().CertificateSigningRequests().Get(context.Background(), name, metav1.GetOptions{})
		if err == nil {
			signed = csr.Status.Certificate
		}
		return len(signed) > 0
	})
	certs, err := certutil.ParseCertsPEM(signed)
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

func configFor(certFile, keyFile string) *signerconfig.CSRSigningControllerConfiguration {
	return &signerconfig.CSRSigningControllerConfiguration{ClusterSigningCertFile: certFile, ClusterSigningKeyFile: keyFile}
}

// TestABundleSignsWithTheCAOfTheKey is the first step of a CA's rotation by hand,
// which the stock signer does not take.
func TestABundleSignsWithTheCAOfTheKey(t *testing.T) {
	old, next := authority(t), authority(t)
	for name, file := range map[string]string{
		"the next CA behind": bundle(t, old.CA, next.CA),
		"the next CA before": bundle(t, next.CA, old.CA),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := startSigner(t, file, old.CAKey); err == nil {
				t.Error("stock accepts this file by now: signers are not needed any more")
			}
			c := configFor(file, old.CAKey)
			signers, err := newSigners(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(signers.close)
			s, err := startSigner(t, c.ClusterSigningCertFile, c.ClusterSigningKeyFile)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.sign(t).CheckSignatureFrom(certificate(t, old.CA)); err != nil {
				t.Errorf("not signed by the CA of the key: %v", err)
			}
		})
	}
}

// TestAnotherCAIsTakenOver goes on with the rotation: the key is replaced too.
func TestAnotherCAIsTakenOver(t *testing.T) {
	old, next := authority(t), authority(t)
	certFile, keyFile := bundle(t, old.CA), bundle(t, old.CAKey)
	c := configFor(certFile, keyFile)
	signers, err := newSigners(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(signers.close)
	s, err := startSigner(t, c.ClusterSigningCertFile, c.ClusterSigningKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	join(t, keyFile, next.CAKey) // half of it: the former one signs
	if err := signers[0].refresh(); !errors.Is(err, ErrNotTheKey) {
		t.Errorf("got %v, want %v", err, ErrNotTheKey)
	}
	if err := s.sign(t).CheckSignatureFrom(certificate(t, old.CA)); err != nil {
		t.Errorf("between the two files: %v", err)
	}
	join(t, certFile, old.CA, next.CA)
	signers.refresh(t.Context())
	eventually(t, "a certificate of the next CA", func() bool {
		return s.sign(t).CheckSignatureFrom(certificate(t, next.CA)) == nil
	})
}

func TestSigningCertificate(t *testing.T) {
	a, b := authority(t), authority(t)
	read := func(files ...string) []byte {
		data, err := os.ReadFile(bundle(t, files...))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, test := range map[string]struct {
		bundle, key []byte
		says        string
	}{
		"its own":             {read(a.CA), read(a.CAKey), ""},
		"twice":               {read(a.CA, a.CA), read(a.CAKey), ""},
		"behind another":      {read(b.CA, a.CA), read(a.CAKey), ""},
		"behind its key":      {read(a.CAKey, a.CA), read(a.CAKey), ""},
		"another's":           {read(b.CA), read(a.CAKey), ErrNotTheKey.Error()},
		"no certificate":      {read(a.CAKey), read(a.CAKey), "does not contain any valid RSA or ECDSA certificates"},
		"a certificate twice": {read(a.CA), read(a.CA), "does not contain a valid RSA or ECDSA private key"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := SigningCertificate(test.bundle, test.key)
			switch {
			case test.says != "":
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v, want %q", err, test.says)
				}
			case err != nil:
				t.Error(err)
			case !got.Equal(certificate(t, a.CA)):
				t.Errorf("got the certificate of %s", got.Subject)
			}
		})
	}
}

func TestSigningPairsAreThoseInUse(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"none":        {nil, "[]"},
		"one for all": {[]string{"--cluster-signing-cert-file=/c", "--cluster-signing-key-file=/k"}, "[{cluster-signing-cert-file cluster-signing-key-file /c /k}]"},
		"one for each": {[]string{"--cluster-signing-kubelet-client-cert-file=/c", "--cluster-signing-kubelet-client-key-file=/k",
			"--cluster-signing-legacy-unknown-cert-file=/d", "--cluster-signing-legacy-unknown-key-file=/l"},
			"[{cluster-signing-kubelet-client-cert-file cluster-signing-kubelet-client-key-file /c /k} {cluster-signing-legacy-unknown-cert-file cluster-signing-legacy-unknown-key-file /d /l}]"},
		"no key":                  {[]string{"--cluster-signing-cert-file=/c"}, "[]"},
		"the controller is off":   {[]string{"--controllers=*,-certificatesigningrequest-signing-controller", "--cluster-signing-cert-file=/c", "--cluster-signing-key-file=/k"}, "[]"},
		"off by its former name":  {[]string{"--controllers=*,-csrsigning", "--cluster-signing-cert-file=/c", "--cluster-signing-key-file=/k"}, "[]"},
		"not among those started": {[]string{"--controllers=namespace-controller", "--cluster-signing-cert-file=/c", "--cluster-signing-key-file=/k"}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Parse(test.args)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(o.SigningPairs()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
