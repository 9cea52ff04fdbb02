// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// KeyAlgorithm is a kind of key.
type KeyAlgorithm string

// The kinds of keys that are made.
const (
	// RSA is the lab's, with its 2048 bits: every client knows it.
	RSA KeyAlgorithm = "rsa"
	// ECDSA is on P-256: made in microseconds, and each handshake and each token
	// costs the server a thirtieth.
	ECDSA KeyAlgorithm = "ecdsa"
)

const rsaBits = 2048 // chapter 04's CSR files

// KeyAlgorithms lists them, the lab's first.
func KeyAlgorithms() []KeyAlgorithm { return []KeyAlgorithm{RSA, ECDSA} }

func (a KeyAlgorithm) generate() (key crypto.Signer, err error) {
	switch a {
	case RSA:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ECDSA:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return nil, fmt.Errorf("there is no key algorithm %q; use rsa or ecdsa", string(a))
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// generateLike makes a key of the kind and size of another.
func generateLike(public crypto.PublicKey) (key crypto.Signer, err error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		key, err = rsa.GenerateKey(rand.Reader, max(k.N.BitLen(), rsaBits))
	case *ecdsa.PublicKey:
		key, err = ecdsa.GenerateKey(k.Curve, rand.Reader)
	case ed25519.PublicKey:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("keys like %T are not made here", public)
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// keyPEM writes a key in the form that cfssl and openssl write it in.
func keyPEM(key crypto.Signer) ([]byte, error) {
	block := &pem.Block{}
	var err error
	switch k := key.(type) {
	case *rsa.PrivateKey:
		block.Type, block.Bytes = "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k)
	case *ecdsa.PrivateKey:
		block.Type = "EC PRIVATE KEY"
		block.Bytes, err = x509.MarshalECPrivateKey(k)
	default:
		block.Type = "PRIVATE KEY"
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// isKeyOf reports whether a certificate is that of a key.
func isKeyOf(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}
