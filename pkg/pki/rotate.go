// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Rotation is a CA and the one that takes its place.
type Rotation struct {
	// Next takes the place.
	Next *Authority
	// old is what it takes the place of.
	old *x509.Certificate
	// cross is a certificate of Next's key that the old one has signed: shown behind
	// what Next signs, it has those verify that who trust the old one only.
	cross *x509.Certificate
}

// BeginRotation has another CA take the place of old: next, or one that is made with
// a key of the same kind.
func BeginRotation(old, next *Authority, now time.Time) (*Rotation, error) {
	if old.cert.MaxPathLenZero {
		return nil, fmt.Errorf("the CA %q may not sign another CA (pathlen:0), so that nothing can be trusted through both; "+
			"add the next one by hand to every file that has this one", old.cert.Subject.CommonName)
	}
	if next == nil {
		var err error
		if next, err = old.successor(now); err != nil {
			return nil, err
		}
	}
	if old.cert.Equal(next.cert) || isKeyOf(next.key, old.cert) {
		return nil, fmt.Errorf("the CA %q has the key of the one in use; use another", next.cert.Subject.CommonName)
	}
	notAfter := next.cert.NotAfter
	if old.cert.NotAfter.Before(notAfter) {
		notAfter = old.cert.NotAfter
	}
	cross, err := old.sign(next.key.Public(), &x509.Certificate{
		RawSubject: next.cert.RawSubject, Subject: next.cert.Subject,
		NotBefore: now.Add(-backdate), NotAfter: notAfter,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true,
	})
	if err != nil {
		return nil, err
	}
	return &Rotation{Next: next, old: old.cert, cross: cross}, nil
}

// successor makes a CA that takes the place of ca. It has a name of its own, by which
// clients choose between the two.
func (ca *Authority) successor(now time.Time) (*Authority, error) {
	key, err := generateLike(ca.cert.PublicKey)
	if err != nil {
		return nil, err
	}
	name := ca.cert.Subject
	name.ExtraNames = nil
	name.CommonName = strings.TrimSpace(successorDate(name.CommonName) + " " + now.UTC().Format(dateLayout))
	next := &Authority{key: key}
	next.cert, err = next.sign(key.Public(), &x509.Certificate{
		Subject:   name,
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caValidity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true,
	})
	if err != nil {
		return nil, err
	}
	next.trusted = certificatesPEM(next.cert)
	return next, nil
}

// dateLayout is that of the date in the name of a CA that took another's place.
const dateLayout = "20060102T150405Z"

// successorDate is the common name of a CA without the date of an earlier rotation.
func successorDate(name string) string {
	i := strings.LastIndex(name, " ")
	if i < 0 {
		return name
	}
	if _, err := time.Parse(dateLayout, name[i+1:]); err != nil {
		return name
	}
	return name[:i]
}

// PEM returns the two files of a rotation: the certificates and the key. The next CA
// is the first certificate.
func (r *Rotation) PEM() (certs, key []byte, err error) {
	key, err = keyPEM(r.Next.key)
	all := append([]*x509.Certificate{r.Next.cert, r.cross}, r.Next.issuers...)
	return certificatesPEM(slices.CompactFunc(all, (*x509.Certificate).Equal)...), key, err
}

// ErrOtherCluster is the error of a rotation that did not begin with any of the CAs
// that are trusted here.
var ErrOtherCluster = errors.New("is of another cluster: no CA that is trusted here has signed it; remove it, and its key")

// ReadRotation reads what PEM returned, in a cluster that trusts some CAs. Without a
// key, Next cannot sign.
func ReadRotation(certs, key []byte, trusted []*x509.Certificate) (*Rotation, error) {
	all, err := ParseCertificates(certs)
	if err != nil {
		return nil, err
	}
	if len(all) < 2 || !all[0].IsCA || !all[1].IsCA || !bytes.Equal(all[0].RawSubjectPublicKeyInfo, all[1].RawSubjectPublicKeyInfo) {
		return nil, errors.New("does not hold a CA twice, by itself and signed by the one whose place it takes; copy it anew from where the rotation began")
	}
	r := &Rotation{Next: &Authority{cert: all[0], trusted: certificatesPEM(all[0])}, cross: all[1]}
	r.Next.findIssuers(all[2:])
	if key != nil {
		if r.Next.key, err = parseKey(key); err != nil {
			return nil, fmt.Errorf("its key: %w", err)
		}
		if !isKeyOf(r.Next.key, r.Next.cert) {
			return nil, errors.New("is of another key than the one beside it; copy both anew from where the rotation began")
		}
	}
	// After the last step only the next one is trusted.
	others := slices.DeleteFunc(slices.Clone(trusted), r.Next.cert.Equal)
	i := slices.IndexFunc(others, func(c *x509.Certificate) bool { return r.cross.CheckSignatureFrom(c) == nil })
	switch {
	case i >= 0:
		r.old = others[i]
	case len(others) == len(trusted):
		return nil, ErrOtherCluster
	}
	return r, nil
}

// SignedByOld reports whether the CA whose place is taken has signed a certificate.
func (r *Rotation) SignedByOld(c *x509.Certificate) bool {
	return r.old != nil && c.CheckSignatureFrom(r.old) == nil
}

// IsOld reports whether a certificate is the CA's whose place is taken.
func (r *Rotation) IsOld(c *x509.Certificate) bool { return r.old != nil && r.old.Equal(c) }

// IsNext reports whether a certificate is the next CA's.
func (r *Rotation) IsNext(c *x509.Certificate) bool { return r.Next.cert.Equal(c) }

// IsKeyOfNext reports whether a private key in PEM form is the next CA's.
func (r *Rotation) IsKeyOfNext(key []byte) bool { return isKeyPEMOf(key, r.Next.cert) }

// IsKeyOfOld reports whether a private key in PEM form is that of the CA whose place
// is taken.
func (r *Rotation) IsKeyOfOld(key []byte) bool { return r.old != nil && isKeyPEMOf(key, r.old) }

func isKeyPEMOf(key []byte, c *x509.Certificate) bool {
	signer, err := parseKey(key)
	return err == nil && isKeyOf(signer, c)
}

// behind are shown with what Next has signed while both are trusted, and with those
// that were shown before.
func (r *Rotation) behind(shown []*x509.Certificate) []*x509.Certificate {
	all := []*x509.Certificate{r.cross}
	for _, c := range slices.Concat(shown, r.Next.issuers) {
		if !slices.ContainsFunc(all, c.Equal) && !r.IsNext(c) {
			all = append(all, c)
		}
	}
	return all
}

// Sign has Next sign the first certificate of a file anew, for a new key.
func (r *Rotation) Sign(certData []byte, now time.Time) (certPEM, key []byte, err error) {
	chain, err := ParseCertificates(certData)
	if err != nil {
		return nil, nil, err
	}
	return r.sign(chain, now)
}

func (r *Rotation) sign(chain []*x509.Certificate, now time.Time) (certPEM, key []byte, err error) {
	return r.Next.renew(append(chain[:1:1], r.behind(chain[1:])...), nil, now)
}

// SignKubeconfig does so with the certificate in a kubeconfig.
func (r *Rotation) SignKubeconfig(data []byte, now time.Time) ([]byte, error) {
	k, err := parseKubeconfig(data)
	if err != nil {
		return nil, err
	}
	if len(k.chain) == 0 {
		return nil, errors.New("has no certificate inside")
	}
	if k.user.ClientCertificateData, k.user.ClientKeyData, err = r.sign(k.chain, now); err != nil {
		return nil, err
	}
	return clientcmd.Write(*k.config)
}

// Trust returns the CAs in a file with the next one after them.
func (r *Rotation) Trust(bundle []byte) []byte {
	return withBlock(bundle, certificatesPEM(r.Next.cert))
}

// withBlock adds a PEM block to a file, on a line of its own.
func withBlock(data, block []byte) []byte {
	out := bytes.TrimRight(data, "\n")
	if len(out) > 0 {
		out = append(out, '\n')
	}
	return append(out, block...)
}

// TrustNext returns the CAs in a file without the old one.
func (r *Rotation) TrustNext(bundle []byte) ([]byte, error) { return without(bundle, r.IsOld) }

// TrustOld returns the CAs in a file without the next one.
func (r *Rotation) TrustOld(bundle []byte) ([]byte, error) { return without(bundle, r.IsNext) }

// ShowNext returns a certificate that Next has signed without what is shown for
// those who trust the old one only.
func (r *Rotation) ShowNext(certData []byte) ([]byte, error) {
	chain, err := ParseCertificates(certData)
	if err != nil {
		return nil, err
	}
	if !r.Next.signed(chain[0]) {
		return nil, fmt.Errorf("is not signed by %q", r.Next.cert.Subject.CommonName)
	}
	return certificatesPEM(append(chain[:1:1], r.Next.issuers...)...), nil
}

// without returns certificates but for some.
func without(data []byte, drop func(*x509.Certificate) bool) ([]byte, error) {
	all, err := ParseCertificates(data)
	if err != nil {
		return nil, err
	}
	return certificatesPEM(slices.DeleteFunc(all, drop)...), nil
}

// KubeconfigAuthorities returns the CAs inside a kubeconfig whose servers are
// verified by them.
func KubeconfigAuthorities(data []byte) ([]*x509.Certificate, error) {
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, fmt.Errorf("is not a kubeconfig: %w", err)
	}
	var all []*x509.Certificate
	for _, c := range config.Clusters {
		if len(c.CertificateAuthorityData) == 0 {
			continue
		}
		certs, err := ParseCertificates(c.CertificateAuthorityData)
		if err != nil {
			return nil, fmt.Errorf("its certificate-authority-data: %w", err)
		}
		all = append(all, certs...)
	}
	return all, nil
}

// EditKubeconfig changes the CAs inside a kubeconfig, of those clusters of which one
// is the old one, and the certificate of its user; nil leaves them.
func (r *Rotation) EditKubeconfig(data []byte, authorities, certificate func([]byte) ([]byte, error)) ([]byte, error) {
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, fmt.Errorf("is not a kubeconfig: %w", err)
	}
	if authorities != nil {
		if err := r.editAuthorities(config, authorities); err != nil {
			return nil, err
		}
	}
	if certificate != nil {
		for _, u := range config.AuthInfos {
			if chain, err := ParseCertificates(u.ClientCertificateData); err != nil || !r.Next.signed(chain[0]) {
				continue
			}
			if u.ClientCertificateData, err = certificate(u.ClientCertificateData); err != nil {
				return nil, err
			}
		}
	}
	return clientcmd.Write(*config)
}

func (r *Rotation) editAuthorities(config *clientcmdapi.Config, authorities func([]byte) ([]byte, error)) error {
	for _, c := range config.Clusters {
		certs, err := ParseCertificates(c.CertificateAuthorityData)
		if err != nil || !slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return r.IsOld(c) || r.IsNext(c) }) {
			continue
		}
		if c.CertificateAuthorityData, err = authorities(c.CertificateAuthorityData); err != nil {
			return err
		}
	}
	return nil
}

// HasKey reports whether ca can sign.
func (ca *Authority) HasKey() bool { return ca.key != nil }

// Certificate is the CA's.
func (ca *Authority) Certificate() *x509.Certificate { return ca.cert }

// clientValidity is that of a certificate that is made for a few questions.
const clientValidity = 15 * time.Minute

// Client makes a certificate and its key, good for a few minutes, as which this
// program asks: they are on no disk.
func (ca *Authority) Client(user string, groups []string, now time.Time) (certPEM, key []byte, err error) {
	signer, err := ECDSA.generate()
	if err != nil {
		return nil, nil, err
	}
	name := subject(user, "", leafUnit)
	name.Organization = groups
	p, err := ca.pair(signer, x509.Certificate{
		Subject: name, NotBefore: now.Add(-backdate), NotAfter: now.Add(clientValidity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	})
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(p.key)
	return certificatesPEM(p.chain...), key, err
}

// Cross is Next's certificate that the old CA has signed, in PEM form.
func (r *Rotation) Cross() []byte { return certificatesPEM(r.cross) }
