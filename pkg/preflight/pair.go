// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/util/keyutil"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// loadPair reads a certificate, what is beside it, and its key, as stock does:
// with tls.X509KeyPair. Without a chain there are findings that say why, and
// without files neither.
func loadPair(p plan.Pair) ([]*x509.Certificate, []Finding) {
	if p.Cert.Path == "" || p.Key.Path == "" {
		return nil, nil
	}
	wantCert, wantKey := "point "+p.Cert.Flag+" to a certificate", "point "+p.Key.Flag+" to the key of "+p.Cert.Path
	certData, unreadable := readFile(p.Cert.Path)
	if unreadable != nil {
		return nil, unreadable.finding(Error, p.Cert.Path, wantCert)
	}
	keyData, unreadable := readFile(p.Key.Path)
	if unreadable != nil {
		return nil, unreadable.finding(Error, p.Key.Path, wantKey)
	}
	chain, wrong := parsePair(certData, keyData)
	switch {
	case wrong == nil:
		return chain, nil
	case wrong.key != nil:
		return nil, wrong.key.finding(Error, p.Key.Path, wantKey)
	case wrong.cert != nil:
		return nil, wrong.cert.finding(Error, p.Cert.Path, wantCert)
	case wrong.position > 0:
		return nil, failure(p.Key.Path, fmt.Sprintf("is the key of certificate %d in %s, not of its first", wrong.position, p.Cert.Path),
			"put that certificate first in "+p.Cert.Path+", its issuers behind it")
	}
	return nil, failure(p.Key.Path, "is not the key of the certificate "+p.Cert.Path, "use the two files that were made together")
}

// pairFault is why a certificate and a key are no pair: a fault of one of them, or
// that they do not belong together.
type pairFault struct {
	cert, key *fault
	position  int // the key's certificate in its file, from 1, where there is one
}

// parsePair returns the chain that tls.X509KeyPair would serve with, the leaf
// first.
func parsePair(certData, keyData []byte) ([]*x509.Certificate, *pairFault) {
	pair, err := tls.X509KeyPair(certData, keyData)
	if err != nil {
		return nil, whyNoPair(certData, keyData, err)
	}
	var chain []*x509.Certificate
	for _, der := range pair.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, &pairFault{cert: &fault{problem: "holds a damaged certificate: " + oneLine(err.Error())}}
		}
		chain = append(chain, cert)
	}
	return chain, nil
}

func whyNoPair(certData, keyData []byte, err error) *pairFault {
	certs, damaged := parseCertificates(certData)
	if len(certs) == 0 {
		return &pairFault{cert: damaged}
	}
	signer, wrong := parseKey(keyData)
	if wrong != nil {
		return &pairFault{key: wrong}
	}
	i := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return matches(c.PublicKey, signer) })
	if i == 0 {
		// They do belong together, but not to what X509KeyPair reads first.
		return &pairFault{key: &fault{problem: "cannot be used with its certificate: " + oneLine(err.Error())}}
	}
	return &pairFault{position: i + 1}
}

// parseKey reads a private key, as the components read those that do not come with
// a certificate.
func parseKey(data []byte) (crypto.Signer, *fault) {
	key, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		return nil, noKey(data)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, &fault{problem: "holds a key that cannot sign"}
	}
	return signer, nil
}

func noKey(data []byte) *fault {
	for _, b := range blocks(data) {
		if b.Type != encryptedKeyBlock && len(b.Headers) == 0 && strings.HasSuffix(b.Type, keyBlockSuffix) {
			return &fault{problem: fmt.Sprintf("holds a damaged or unknown private key in its PEM block %q", b.Type)}
		}
	}
	return noPEM(data, "private key")
}
