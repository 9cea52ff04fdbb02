// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// verify verifies the first certificate as the other side of a connection does
// that is shown all of them. Without roots the machine's CAs are trusted.
func verify(chain []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage, now time.Time) ([][]*x509.Certificate, error) {
	return chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: pool(chain[1:]), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	})
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// whyNotVerified tells, of an error of verify, what is wrong with the chain;
// authorities is what signs for the other side.
func whyNotVerified(err error, chain, roots []*x509.Certificate, authorities string, usage x509.ExtKeyUsage, now time.Time) *fault {
	var invalid x509.CertificateInvalidError
	switch {
	case invalidAt(now, chain[0]) != "":
		return &fault{invalidAt(now, chain[0]), validityFix(now, chain[0])}
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return &fault{"is not made for " + usageName(usage), "sign it with a profile that has both server auth and client auth"}
	}
	for _, c := range slices.Concat(chain[1:], roots) {
		if problem := invalidAt(now, c); problem != "" && isIssuer(c, chain) {
			return &fault{"is signed by " + name(c) + ", whose own certificate " + problem, validityFix(now, c)}
		}
	}
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		last := top(chain)
		return &fault{"is not signed by " + authorities, fmt.Sprintf("use a certificate of that CA, or the CA that signed it (%s); an intermediate CA's certificate belongs into the file behind it", last.Issuer.CommonName)}
	}
	return &fault{"cannot be verified with " + authorities + ": " + oneLine(err.Error()), "sign it again as in lab chapter 04"}
}

// isIssuer reports whether c has signed one of the chain.
func isIssuer(c *x509.Certificate, chain []*x509.Certificate) bool {
	return slices.ContainsFunc(chain, func(child *x509.Certificate) bool {
		return !child.Equal(c) && child.CheckSignatureFrom(c) == nil
	})
}

// top follows a chain to the last certificate whose issuer is not in it.
func top(chain []*x509.Certificate) *x509.Certificate {
	last := chain[0]
	for range chain {
		i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return !c.Equal(last) && last.CheckSignatureFrom(c) == nil })
		if i < 0 {
			break
		}
		last = chain[i]
	}
	return last
}

func usageName(u x509.ExtKeyUsage) string {
	if u == x509.ExtKeyUsageServerAuth {
		return "servers (server auth)"
	}
	return "clients (client auth)"
}

// dateLayout is how times are shown: long enough to see a wrong clock.
const dateLayout = "2006-01-02 15:04:05 MST"

// invalidAt tells why a certificate is not valid at a time, or nothing.
func invalidAt(now time.Time, cert *x509.Certificate) string {
	switch clock := "; this machine's clock says " + now.UTC().Format(dateLayout); {
	case now.After(cert.NotAfter):
		return "expired on " + cert.NotAfter.Format(dateLayout) + clock
	case now.Before(cert.NotBefore):
		return "is valid only from " + cert.NotBefore.Format(dateLayout) + clock
	}
	return ""
}

func validityFix(now time.Time, cert *x509.Certificate) string {
	if now.After(cert.NotAfter) {
		return "renew it, or set the clock"
	}
	return "set the clock"
}

// name is how a certificate is told from others.
func name(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return "CN=" + c.Subject.CommonName
	}
	return fmt.Sprintf("serial number %d", c.SerialNumber)
}
