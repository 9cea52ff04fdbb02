// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// labAuthority is the CA of the lab's files.
func labAuthority(c *harness.Controller) authority {
	c.Helper()
	certs, err := certutil.CertsFromFile(c.Lab("ca.pem"))
	c.Must(err)
	key, err := keyutil.PrivateKeyFromFile(c.Lab("ca-key.pem"))
	c.Must(err)
	return authority{certs[0], key.(crypto.Signer)}
}

// newAuthority makes another CA.
func newAuthority(e *harness.Env) authority {
	e.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e.Must(err)
	cert, err := certutil.NewSelfSignedCACert(certutil.Config{CommonName: "next"}, key)
	e.Must(err)
	return authority{cert, key}
}

func (a authority) pem() []byte { return encode(a.cert) }

func encode(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certutil.CertificateBlockType, Bytes: cert.Raw})
}

// issue signs a certificate for a client and server, and returns it with its key.
func (a authority) issue(e *harness.Env, user string, groups ...string) (certPEM, keyPEM []byte) {
	e.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e.Must(err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	e.Must(err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: user, Organization: groups},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 32, 0, 1)}, BasicConstraintsValid: true,
	}, a.cert, key.Public(), a.key)
	e.Must(err)
	keyPEM, err = keyutil.MarshalPrivateKeyToPEM(key)
	e.Must(err)
	return pem.EncodeToMemory(&pem.Block{Type: certutil.CertificateBlockType, Bytes: der}), keyPEM
}

// shown returns the certificate that is shown at an address of this machine.
func shown(address string) (*x509.Certificate, error) {
	var cert *x509.Certificate
	// What is shown is all that is wanted: nothing is said there.
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		cert = s.PeerCertificates[0]
		return nil
	}})
	if err == nil {
		conn.Close()
	}
	if cert != nil {
		return cert, nil
	}
	return nil, err
}

// replace puts a file in place as careful tools do: whole, under another name
// first.
func replace(e *harness.Env, path string, content ...[]byte) {
	e.Helper()
	e.Must(os.WriteFile(path+".new", bytes.Join(content, nil), 0o600))
	e.Must(os.Rename(path+".new", path))
}

func read(e *harness.Env, path string) []byte {
	e.Helper()
	data, err := os.ReadFile(path)
	e.Must(err)
	return data
}
