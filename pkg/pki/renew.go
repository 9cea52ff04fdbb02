// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
)

// renew signs a certificate anew, for a new key of the same kind: with the subject,
// the names and the uses that it has, and with more hosts; for as long as it was
// good for, from now.
func (ca *Authority) renew(chain []*x509.Certificate, hosts []string, now time.Time) (certPEM, key []byte, err error) {
	old := chain[0]
	signer, err := generateLike(old.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	names, addresses := split(hosts)
	life := old.NotAfter.Sub(old.NotBefore)
	// One with a life as short as that would be over as soon as it is made.
	back := min(backdate, life/10)
	p, err := ca.pair(signer, x509.Certificate{
		RawSubject: old.RawSubject, Subject: old.Subject,
		DNSNames: slices.Concat(old.DNSNames, names), IPAddresses: slices.Concat(old.IPAddresses, addresses),
		EmailAddresses: old.EmailAddresses, URIs: old.URIs,
		KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage, UnknownExtKeyUsage: old.UnknownExtKeyUsage,
		BasicConstraintsValid: old.BasicConstraintsValid,
		NotBefore:             now.Add(-back),
		NotAfter:              now.Add(life - back),
	})
	if err != nil {
		return nil, nil, err
	}
	p.chain = append(p.chain[:1:1], chain[1:]...) // shown with those that were shown
	key, err = keyPEM(p.key)
	return certificatesPEM(p.chain...), key, err
}

// parsePair reads a certificate with those behind it, and its key.
func parsePair(certData, keyData []byte) ([]*x509.Certificate, error) {
	p, err := tls.X509KeyPair(certData, keyData)
	if err != nil {
		return nil, fmt.Errorf("with its key, it cannot be used: %w", err)
	}
	var chain []*x509.Certificate
	for _, der := range p.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// kubeconfig is one with its current user.
type kubeconfig struct {
	config *clientcmdapi.Config
	user   *clientcmdapi.AuthInfo
	// chain is with what the user introduces itself, where that is in the file.
	chain []*x509.Certificate
}

func parseKubeconfig(data []byte) (*kubeconfig, error) {
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, fmt.Errorf("is not a kubeconfig: %w", err)
	}
	context := config.Contexts[config.CurrentContext]
	if context == nil || config.AuthInfos[context.AuthInfo] == nil {
		return nil, errors.New("has no current context with a user; make it again as in lab chapter 05")
	}
	k := &kubeconfig{config: config, user: config.AuthInfos[context.AuthInfo]}
	if len(k.user.ClientCertificateData) > 0 {
		if k.chain, err = parsePair(k.user.ClientCertificateData, k.user.ClientKeyData); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// ParseCertificates reads the certificates in a file.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	certs, err := cert.ParseCertsPEM(data)
	if err != nil {
		return nil, fmt.Errorf("holds no certificate: %w", err)
	}
	return certs, nil
}

// KubeconfigCertificates returns with what the current user of a kubeconfig
// introduces itself.
func KubeconfigCertificates(data []byte) ([]*x509.Certificate, error) {
	k, err := parseKubeconfig(data)
	if err != nil {
		return nil, err
	}
	if len(k.chain) == 0 {
		return nil, errors.New("has no certificate inside: its user introduces itself with a token, a plugin or files of its own")
	}
	return k.chain, nil
}

// KubeconfigFiles returns the files with which the current user of a kubeconfig
// introduces itself; none where it does so with what is inside.
func KubeconfigFiles(path string) (certFile, keyFile string) {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil || config.Contexts[config.CurrentContext] == nil || clientcmd.ResolveLocalPaths(config) != nil {
		return "", ""
	}
	user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	if user == nil || len(user.ClientCertificateData) > 0 {
		return "", ""
	}
	return user.ClientCertificate, user.ClientKey
}

// Signed reports whether ca has signed a certificate.
func (ca *Authority) Signed(c *x509.Certificate) bool { return ca.signed(c) }

// Renew signs the first certificate of a file anew, for a new key, and returns both,
// and when the new one expires.
func (ca *Authority) Renew(certData []byte, now time.Time) (certPEM, key []byte, notAfter time.Time, err error) {
	chain, err := ParseCertificates(certData)
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	if certPEM, key, err = ca.renew(chain, nil, now); err != nil {
		return nil, nil, time.Time{}, err
	}
	return certPEM, key, expiry(certPEM), nil
}

// RenewKubeconfig does so with the certificate in a kubeconfig.
func (ca *Authority) RenewKubeconfig(data []byte, now time.Time) (renewed []byte, notAfter time.Time, err error) {
	k, err := parseKubeconfig(data)
	if err != nil {
		return nil, time.Time{}, err
	}
	if k.user.ClientCertificateData, k.user.ClientKeyData, err = ca.renew(k.chain, nil, now); err != nil {
		return nil, time.Time{}, err
	}
	renewed, err = clientcmd.Write(*k.config)
	return renewed, expiry(k.user.ClientCertificateData), err
}

// expiry is when the first certificate of what was just made expires.
func expiry(certPEM []byte) time.Time {
	certs, err := ParseCertificates(certPEM)
	if err != nil {
		return time.Time{}
	}
	return certs[0].NotAfter
}
