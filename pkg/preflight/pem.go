// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/util/keyutil"
)

// readCertificates reads the certificates in a PEM file, the leaf first.
func readCertificates(path string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.New("cannot be read: " + reason(err))
	}
	return parseCertificates(data)
}

func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	other := ""
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			other = block.Type
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a damaged certificate: %w", err)
		}
		certs = append(certs, cert)
	}
	switch {
	case len(certs) > 0:
		return certs, nil
	case other != "":
		return nil, fmt.Errorf("holds no certificate but a PEM block %q", other)
	default:
		return nil, errors.New("is not a PEM file")
	}
}

// readKey reads the private key in a PEM file.
func readKey(path string) (crypto.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.New("cannot be read: " + reason(err))
	}
	key, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		if certs, err := parseCertificates(data); err == nil && len(certs) > 0 {
			return nil, errors.New("holds a certificate, not a private key")
		}
		return nil, errors.New("holds no private key in PEM form")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("holds a key that cannot sign")
	}
	return signer, nil
}

// matches reports whether key belongs to the public key.
func matches(public crypto.PublicKey, key crypto.Signer) bool {
	p, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && p.Equal(public)
}
