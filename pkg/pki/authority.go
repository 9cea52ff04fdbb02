// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// Validities as cfssl gives them in lab chapter 04.
const (
	caValidity   = 43800 * time.Hour // 5 years, cfssl's default for a CA
	leafValidity = 8760 * time.Hour  // 1 year, the lab's ca-config.json
)

// backdate tolerates machines whose clocks run behind this one's.
const backdate = 5 * time.Minute

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

// Authority is a CA that signs.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	// issuers are shown behind every certificate that it signs: for an intermediate
	// CA itself and those above it, without the root.
	issuers []*x509.Certificate
	// trusted verifies what it has signed, in PEM: itself, and, of a cluster that is
	// there already, all that is trusted in it.
	trusted []byte
}

// newAuthority makes the lab's CA.
func newAuthority(a KeyAlgorithm, now time.Time) (*Authority, error) {
	key, err := a.generate()
	if err != nil {
		return nil, err
	}
	ca := &Authority{key: key}
	ca.cert, err = ca.sign(key.Public(), &x509.Certificate{
		Subject:               subject("Kubernetes", "Kubernetes", caUnit),
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caValidity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	})
	if err != nil {
		return nil, err
	}
	ca.trusted = certificatesPEM(ca.cert)
	return ca, nil
}

// ParseAuthority reads a CA of the user's. Of several certificates, the one that
// the key belongs to signs; those that have signed it are shown with what it
// signs, so that who trusts one of them trusts that too. Within the cluster the one
// that signs is trusted, and no other: behind a company's root CA there may be
// anybody.
func ParseAuthority(certData, keyData []byte, now time.Time) (*Authority, error) {
	ca, certs, err := parseAuthority(certData, keyData)
	if err != nil {
		return nil, err
	}
	switch {
	case now.After(ca.cert.NotAfter):
		return nil, fmt.Errorf("the CA %q has expired on %s; renew it first", ca.cert.Subject.CommonName, ca.cert.NotAfter.Format(time.DateOnly))
	case now.Before(ca.cert.NotBefore):
		return nil, fmt.Errorf("the CA %q is valid only from %s; set the clock", ca.cert.Subject.CommonName, ca.cert.NotBefore.Format(time.RFC3339))
	}
	ca.findIssuers(certs)
	ca.trusted = certificatesPEM(ca.cert)
	return ca, nil
}

func parseAuthority(certData, keyData []byte) (*Authority, []*x509.Certificate, error) {
	certs, err := cert.ParseCertsPEM(certData)
	if err != nil {
		return nil, nil, fmt.Errorf("holds no certificate in PEM form: %w", err)
	}
	key, err := parseKey(keyData)
	if err != nil {
		return nil, nil, fmt.Errorf("its key: %w", err)
	}
	i := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return isKeyOf(key, c) })
	if i < 0 {
		return nil, nil, errors.New("the key belongs to none of its certificates; use the two files that were made together")
	}
	if c := certs[i]; !c.IsCA || c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, nil, fmt.Errorf("%q is not a CA (CA:TRUE, and certificate signing among its uses); use one that may sign", c.Subject.CommonName)
	}
	return &Authority{cert: certs[i], key: key}, certs, nil
}

// parseKey reads a private key that is not encrypted.
func parseKey(data []byte) (crypto.Signer, error) {
	if bytes.Contains(data, []byte("ENCRYPTED")) {
		return nil, errors.New("is encrypted, and nobody is asked for its passphrase; decrypt it: openssl pkey -in FILE -out NEW-FILE")
	}
	key, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		return nil, errors.New("holds no private key in PEM form")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("holds a key that cannot sign")
	}
	return signer, nil
}

// findIssuers sets who is shown with what ca signs, of those that are known.
func (ca *Authority) findIssuers(known []*x509.Certificate) {
	ca.issuers = nil
	for c := ca.cert; c != nil && c.CheckSignatureFrom(c) != nil; {
		if slices.ContainsFunc(ca.issuers, c.Equal) {
			return
		}
		ca.issuers = append(ca.issuers, c)
		i := slices.IndexFunc(known, func(k *x509.Certificate) bool { return c.CheckSignatureFrom(k) == nil })
		if i < 0 {
			return
		}
		c = known[i]
	}
}

// signed reports whether ca has signed a certificate.
func (ca *Authority) signed(c *x509.Certificate) bool { return c.CheckSignatureFrom(ca.cert) == nil }

// pair is a certificate, those that are shown behind it, and its key.
type pair struct {
	chain []*x509.Certificate
	key   crypto.Signer
}

// leaf makes a certificate with the lab's "kubernetes" profile: good for servers
// and for clients, and for no longer than ca.
func (ca *Authority) leaf(key crypto.Signer, now time.Time, template x509.Certificate) (*pair, error) {
	template.NotBefore = now.Add(-backdate)
	template.NotAfter = now.Add(leafValidity)
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.BasicConstraintsValid = true
	return ca.pair(key, template)
}

// pair signs a template for a key.
func (ca *Authority) pair(key crypto.Signer, template x509.Certificate) (*pair, error) {
	if template.NotAfter.After(ca.cert.NotAfter) {
		template.NotAfter = ca.cert.NotAfter
	}
	c, err := ca.sign(key.Public(), &template)
	if err != nil {
		return nil, err
	}
	return &pair{append([]*x509.Certificate{c}, ca.issuers...), key}, nil
}

// sign makes a certificate for a key; that of ca itself where it has none yet.
func (ca *Authority) sign(public crypto.PublicKey, template *x509.Certificate) (*x509.Certificate, error) {
	var err error
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(spki)
	template.SubjectKeyId = id[:20]
	parent := ca.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, ca.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

func certificatesPEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}
