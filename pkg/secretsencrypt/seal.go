// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/util/keyutil"
)

// Seal hides configurations from everybody but the controllers. It is made of the key
// that signs service account tokens: all controllers have the same, and whoever has
// that key can be anybody in the cluster.
type Seal struct{ aead cipher.AEAD }

// purpose keeps the seal's key apart from any other that is derived from the same.
const purpose = "khw-controller secrets-encrypt v1"

// NewSeal returns the seal of the key in a file.
func NewSeal(path string) (Seal, error) {
	if path == "" {
		return Seal{}, errors.New("--kube-apiserver-arg service-account-signing-key-file is not set: without a key that all controllers have, a configuration cannot be handed to them in secret")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Seal{}, err
	}
	key, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		return Seal{}, fmt.Errorf("%s: is not a private key", path)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Seal{}, fmt.Errorf("%s: %w", path, err)
	}
	derived, err := hkdf.Key(sha256.New, der, nil, purpose, 32)
	if err != nil {
		return Seal{}, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return Seal{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return Seal{aead}, err
}

// close seals data for a phase of a rotation: it cannot be passed off for another's.
func (s Seal) close(r Rotation, data []byte) []byte {
	return s.aead.Seal(nil, nil, data, r.identity())
}

// open returns what was sealed.
func (s Seal) open(r Rotation) ([]byte, error) {
	data, err := s.aead.Open(nil, nil, r.Sealed, r.identity())
	if err != nil {
		return nil, errors.New("the configuration was sealed with another service account key than this controller's, or was tampered with")
	}
	return data, nil
}

// identity is what a configuration is sealed for.
func (r Rotation) identity() []byte {
	return fmt.Appendf(nil, "%q %q %q %q", r.ID, r.Phase, r.From, r.To)
}
