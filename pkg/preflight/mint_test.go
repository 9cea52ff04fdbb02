// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/util/keyutil"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

// issued is a certificate and its key.
type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// labCA is the CA in the lab's files.
func labCA(t *testing.T, f pki.Files) issued {
	t.Helper()
	key, err := keyutil.PrivateKeyFromFile(f.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return issued{certificatesIn(f.CA)[0], key.(crypto.Signer)}
}

// issue signs a certificate with a new ECDSA key; change makes it another one
// than the lab's kubernetes.pem.
func (ca issued) issue(t *testing.T, change func(*x509.Certificate)) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ca.issueFor(t, key, change)
}

func (ca issued) issueFor(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) issued {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "kubernetes"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"kubernetes", "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 240, 0, 10), net.IPv4(10, 32, 0, 1)},
	}
	change(template)
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{cert, key}
}

// as makes a CA of a certificate.
func as(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.KeyUsage, c.ExtKeyUsage = name, true, x509.KeyUsageCertSign, nil
		c.DNSNames, c.IPAddresses = nil, nil
	}
}

func unchanged(*x509.Certificate) {}

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
}

// both applies two changes.
func both(a, b func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) { a(c); b(c) }
}

func pemOf(all ...issued) []byte {
	var data []byte
	for _, i := range all {
		data = append(data, block(certificateBlock, i.cert.Raw)...)
	}
	return data
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// keyPEM is a key in the form of openssl ecparam -genkey.
func keyPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	data, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// content reads a file.
func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// put writes the concatenation of some data to a file.
func put(t *testing.T, path string, data ...[]byte) {
	t.Helper()
	write(t, path, string(bytes.Join(data, nil)))
}

func containsAll(text, words string) bool {
	for _, w := range strings.Split(words, "…") {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// checkWording wants a finding to be one line with a fix, and not to show a file.
func checkWording(t *testing.T, f Finding) {
	t.Helper()
	if f.Subject == "" || f.Problem == "" || f.Fix == "" || strings.Contains(f.String(), "\n") || strings.Contains(f.String(), "-----BEGIN") {
		t.Errorf("%q is not one line with file, problem and fix", f)
	}
}
