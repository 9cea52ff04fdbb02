// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/util/keyutil"
)

// KeyRotation is a key that signs service account tokens, and the one that takes its
// place.
type KeyRotation struct {
	// next and old are public keys in PEM form, as certificates where they are that.
	next, old []byte
	nextKey   []byte
}

// BeginKeyRotation makes a key that takes the place of another, of its kind. A
// certificate of the old one is made anew by who has signed it, where that is one of
// the authorities: only the keys in it count.
func BeginKeyRotation(public, key []byte, authorities []*Authority, now time.Time) (*KeyRotation, error) {
	old, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	r := &KeyRotation{old: blockOf(public, old.Public())}
	if r.old == nil {
		return nil, errors.New("does not belong to the key that signs; use the two files that were made together")
	}
	if chain, err := ParseCertificates(r.old); err == nil {
		if i := slices.IndexFunc(authorities, func(ca *Authority) bool { return ca.signed(chain[0]) }); i >= 0 {
			var certs []byte
			if certs, r.nextKey, err = authorities[i].renew(chain, nil, now); err != nil {
				return nil, err
			}
			r.next = firstBlock(certs)
			return r, nil
		}
	}
	next, err := generateLike(old.Public())
	if err != nil {
		return nil, err
	}
	if r.nextKey, err = keyPEM(next); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(next.Public())
	r.next = pem.EncodeToMemory(&pem.Block{Type: keyutil.PublicKeyBlockType, Bytes: der})
	return r, err
}

// ReadKeyRotation reads what PEM returned.
func ReadKeyRotation(public, key []byte) (*KeyRotation, error) {
	blocks := blocks(public)
	if len(blocks) != 2 || publicKey(blocks[0]) == nil || publicKey(blocks[1]) == nil {
		return nil, errors.New("does not hold a key and the one whose place it takes; copy it anew from where the rotation began")
	}
	r := &KeyRotation{next: blocks[0], old: blocks[1], nextKey: key}
	if key != nil {
		signer, err := parseKey(key)
		if err != nil {
			return nil, fmt.Errorf("its key: %w", err)
		}
		if !equalKeys(signer.Public(), r.NextPublic()) {
			return nil, errors.New("is of another key than the one beside it; copy both anew from where the rotation began")
		}
	}
	return r, nil
}

// PEM returns the two files of a rotation: both public keys, the next one first, and
// the next private key.
func (r *KeyRotation) PEM() (public, key []byte) { return slices.Concat(r.next, r.old), r.nextKey }

// Key is the next private key; nil where it is not there.
func (r *KeyRotation) Key() []byte { return r.nextKey }

// NextPublic is the next public key.
func (r *KeyRotation) NextPublic() crypto.PublicKey { return publicKey(r.next) }

// HasOld and HasNext report whether a file has one of the keys, public or private.
func (r *KeyRotation) HasOld(data []byte) bool { return blockOf(data, publicKey(r.old)) != nil }

// HasNext is the same for the next one.
func (r *KeyRotation) HasNext(data []byte) bool { return blockOf(data, r.NextPublic()) != nil }

// Trust returns the public keys in a file with the next one after them.
func (r *KeyRotation) Trust(public []byte) []byte { return withBlock(public, r.next) }

// TrustNext returns the public keys in a file without the old one.
func (r *KeyRotation) TrustNext(public []byte) []byte { return withoutKey(public, publicKey(r.old)) }

// TrustOld returns the public keys in a file without the next one.
func (r *KeyRotation) TrustOld(public []byte) []byte { return withoutKey(public, r.NextPublic()) }

func withoutKey(data []byte, key crypto.PublicKey) []byte {
	var out []byte
	for _, b := range blocks(data) {
		if !equalKeys(publicKey(b), key) {
			out = append(out, b...)
		}
	}
	return out
}

// blockOf returns what of a PEM file is a key's; nil where it is not there.
func blockOf(data []byte, key crypto.PublicKey) []byte {
	for _, b := range blocks(data) {
		if equalKeys(publicKey(b), key) {
			return b
		}
	}
	return nil
}

func firstBlock(data []byte) []byte { return blocks(data)[0] }

// blocks takes a PEM file apart.
func blocks(data []byte) [][]byte {
	var all [][]byte
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return all
		}
		all = append(all, pem.EncodeToMemory(b))
	}
}

// publicKey is the one that the apiserver finds in a block; nil where there is none.
func publicKey(block []byte) crypto.PublicKey {
	keys, err := keyutil.ParsePublicKeysPEM(block)
	if err != nil {
		return nil
	}
	return keys[0]
}

func equalKeys(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && x.Equal(b)
}
