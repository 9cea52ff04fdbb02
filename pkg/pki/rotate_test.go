// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func verifies(t *testing.T, chainPEM []byte, trusted ...*x509.Certificate) bool {
	t.Helper()
	chain, err := ParseCertificates(chainPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots, behind := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range trusted {
		roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		behind.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: behind, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// leafOf is a certificate that ca has signed, with what is shown behind it.
func leafOf(t *testing.T, ca *Authority) (certPEM, key []byte) {
	t.Helper()
	certPEM, key, err := ca.Client("somebody", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return certPEM, key
}

// TestRotationIsTrustedByAll has every kind of CA rotated, and what the next one
// signs verified by who trusts the old one, the next one or both.
func TestRotationIsTrustedByAll(t *testing.T) {
	now := time.Now()
	company := newCompany(t)
	intermediate, err := ParseAuthority(certificatesPEM(company.signing.cert, company.above.cert), keyOf(t, company.signing), now)
	if err != nil {
		t.Fatal(err)
	}
	rsa, err := newAuthority(RSA, now)
	if err != nil {
		t.Fatal(err)
	}
	own, err := newAuthority(ECDSA, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ old, next *Authority }{
		"the lab's":             {rsa, nil},
		"an intermediate CA":    {intermediate, nil},
		"by one of the user's":  {rsa, own},
		"by an intermediate CA": {rsa, intermediate},
		"one on P-256":          {own, nil},
	} {
		t.Run(name, func(t *testing.T) {
			began, err := BeginRotation(test.old, test.next, now)
			if err != nil {
				t.Fatal(err)
			}
			certs, key, err := began.PEM()
			if err != nil {
				t.Fatal(err)
			}
			r, err := ReadRotation(certs, key, []*x509.Certificate{test.old.cert})
			if err != nil {
				t.Fatal(err)
			}
			old, next := test.old.cert, r.Next.cert
			if test.next == nil && bytes.Equal(old.RawSubject, next.RawSubject) || r.IsOld(next) || !r.IsOld(old) || !r.IsNext(next) {
				t.Errorf("%s and %s are not told apart", old.Subject, next.Subject)
			}
			before, _ := leafOf(t, test.old)
			if !verifies(t, before, old) || verifies(t, before, next) {
				t.Error("what the old one has signed is not verified by it, or by the next one")
			}
			signed, _, err := r.Sign(before, now)
			if err != nil {
				t.Fatal(err)
			}
			if !verifies(t, signed, old) || !verifies(t, signed, next) || !verifies(t, signed, old, next) {
				t.Error("what the next one has signed is not verified by all")
			}
			alone, err := r.ShowNext(signed)
			if err != nil {
				t.Fatal(err)
			}
			if verifies(t, alone, old) && test.next != intermediate || !verifies(t, alone, next) {
				t.Error("after the last step, the old one is trusted, or the next one is not")
			}
		})
	}
}

func TestRotationOfBundles(t *testing.T) {
	now := time.Now()
	old, err := newAuthority(ECDSA, now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newAuthority(ECDSA, now)
	if err != nil {
		t.Fatal(err)
	}
	r, err := BeginRotation(old, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	before := certificatesPEM(other.cert, old.cert)
	both := r.Trust(append([]byte("# ours\n"), bytes.TrimSpace(before)...))
	if want := certificatesPEM(other.cert, old.cert, r.Next.cert); string(both) != "# ours\n"+string(want) {
		t.Errorf("got %s", both)
	}
	if got, err := r.TrustOld(both); err != nil || !bytes.Equal(got, before) {
		t.Errorf("got %v, %s", err, got)
	}
	if got, err := r.TrustNext(both); err != nil || !bytes.Equal(got, certificatesPEM(other.cert, r.Next.cert)) {
		t.Errorf("got %v, %s", err, got)
	}
}

func TestRotationRefuses(t *testing.T) {
	now := time.Now()
	ca := func() *Authority {
		a, err := newAuthority(ECDSA, now)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	old, other := ca(), ca()
	leafOnly := &Authority{key: ca().key}
	var err error
	if leafOnly.cert, err = leafOnly.sign(leafOnly.key.Public(), &x509.Certificate{Subject: pkix.Name{CommonName: "no CAs below"}, NotBefore: now, NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := BeginRotation(leafOnly, nil, now); err == nil || !strings.Contains(err.Error(), "pathlen:0") {
		t.Errorf("of a CA that may sign none: %v", err)
	}
	if _, err := BeginRotation(old, old, now); err == nil || !strings.Contains(err.Error(), "has the key of the one in use") {
		t.Errorf("by itself: %v", err)
	}
	r, err := BeginRotation(old, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	certs, key, err := r.PEM()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRotation(certs, key, []*x509.Certificate{other.cert}); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("in another cluster: %v", err)
	}
	if _, err := ReadRotation(certs, keyOf(t, other), []*x509.Certificate{old.cert}); err == nil || !strings.Contains(err.Error(), "is of another key") {
		t.Errorf("with another key: %v", err)
	}
	if _, err := ReadRotation(certificatesPEM(r.Next.cert), key, []*x509.Certificate{old.cert}); err == nil || !strings.Contains(err.Error(), "copy it anew") {
		t.Errorf("cut off: %v", err)
	}
}

func TestSuccessorsDoNotCollectDates(t *testing.T) {
	for name, want := range map[string]string{
		"Kubernetes": "Kubernetes", "Kubernetes 20261126T132054Z": "Kubernetes", "Our CA 2": "Our CA 2", "": "",
	} {
		if got := successorDate(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	now := time.Now()
	f := FilesIn(t.TempDir())
	if err := Generate(f, Spec{ServerPort: 6443, KeyAlgorithm: RSA}); err != nil {
		t.Fatal(err)
	}
	public, key := read(t, f.ServiceAccount), read(t, f.ServiceAccountKey)
	ca, err := ParseAuthority(read(t, f.CA), read(t, f.CAKey), now)
	if err != nil {
		t.Fatal(err)
	}
	for name, authorities := range map[string][]*Authority{"with the CA": {ca}, "without": nil} {
		began, err := BeginKeyRotation(public, key, authorities, now)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ReadKeyRotation(began.PEM())
		if err != nil {
			t.Fatal(err)
		}
		both := r.Trust(public)
		if !r.HasOld(both) || !r.HasNext(both) || r.HasNext(public) || !r.HasNext(r.Key()) || r.HasOld(r.Key()) {
			t.Errorf("%s: the keys are not told apart", name)
		}
		if _, err := ParseCertificates(r.next); (err == nil) != (authorities != nil) {
			t.Errorf("%s: a certificate: %v", name, err)
		}
		if got := r.TrustOld(both); !bytes.Equal(got, public) {
			t.Errorf("%s: got %s", name, got)
		}
		if got := r.TrustNext(both); r.HasOld(got) || !r.HasNext(got) {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if _, err := BeginKeyRotation(read(t, f.Cert), key, nil, now); err == nil || !strings.Contains(err.Error(), "does not belong to the key that signs") {
		t.Errorf("got %v", err)
	}
	if _, err := ReadKeyRotation(public, nil); err == nil || !strings.Contains(err.Error(), "copy it anew") {
		t.Errorf("got %v", err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
