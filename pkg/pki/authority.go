// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Validities as cfssl gives them in lab chapter 04.
const (
	caValidity   = 43800 * time.Hour // 5 years, cfssl's default for a CA
	leafValidity = 8760 * time.Hour  // 1 year, the lab's ca-config.json
)

// backdate tolerates machines whose clocks run behind this one's.
const backdate = 5 * time.Minute

// pair is a certificate and its key. Keys are ECDSA P-256, not the lab's RSA
// 2048: they are made in microseconds, and each handshake costs the server a
// tenth.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Organizational units of the lab's certificates. The CA's has to differ: OpenSSL
// compares names without regard to case and would take "kubernetes", signed by
// "Kubernetes", for self-signed.
const (
	caUnit   = "CA"
	leafUnit = "Kubernetes The Hard Way"
)

// subject is the lab's, with its location fields (chapter 04's CSR files).
func subject(commonName, organization, unit string) pkix.Name {
	return pkix.Name{
		CommonName:         commonName,
		Organization:       []string{organization},
		OrganizationalUnit: []string{unit},
		Country:            []string{"US"},
		Province:           []string{"Oregon"},
		Locality:           []string{"Portland"},
	}
}

func newAuthority(now time.Time) (*pair, error) {
	return sign(nil, &x509.Certificate{
		Subject:               subject("Kubernetes", "Kubernetes", caUnit),
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caValidity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	})
}

// leaf makes a certificate with the lab's "kubernetes" profile: good for
// servers and for clients.
func (ca *pair) leaf(now time.Time, template x509.Certificate) (*pair, error) {
	template.NotBefore = now.Add(-backdate)
	template.NotAfter = now.Add(leafValidity)
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.BasicConstraintsValid = true
	return sign(ca, &template)
}

// sign makes a key and a certificate for it, signed by ca or by itself.
func sign(ca *pair, template *x509.Certificate) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(spki)
	template.SubjectKeyId = id[:20]
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	return &pair{cert: cert, key: key}, err
}

func (p *pair) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

func (p *pair) keyPEM() ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(p.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
