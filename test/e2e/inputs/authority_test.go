// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"k8s.io/client-go/util/keyutil"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// authority is a certificate and its key; it need not be a CA's.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// readAuthority returns the CA in the lab's files.
func readAuthority(c *harness.Controller) authority {
	c.Helper()
	key, err := keyutil.PrivateKeyFromFile(c.Lab("ca-key.pem"))
	c.Must(err)
	return authority{certificates(c, c.Lab("ca.pem"))[0], key.(crypto.Signer)}
}

// newAuthority returns the CA that comes next.
func newAuthority(c *harness.Controller) authority {
	c.Helper()
	return authority{}.issue(c, &x509.Certificate{Subject: pkix.Name{CommonName: "next"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign})
}

// issue signs a certificate with a new key; without a CA, with that key.
func (a authority) issue(c *harness.Controller, template *x509.Certificate) authority {
	c.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.Must(err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	c.Must(err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	template.BasicConstraintsValid = true
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	c.Must(err)
	cert, err := x509.ParseCertificate(der)
	c.Must(err)
	return authority{cert, key}
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a authority) keyPEM(c *harness.Controller) []byte {
	c.Helper()
	data, err := keyutil.MarshalPrivateKeyToPEM(a.key)
	c.Must(err)
	return data
}
