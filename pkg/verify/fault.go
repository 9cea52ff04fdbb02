// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fault is why two machines do not come together, in kinds that differ in what
// is to be done.
type fault int

const (
	otherFault fault = iota
	noFile           // of our own, that was to be read
	noSuchName       // DNS
	refused          // nobody listens
	silent           // no answer at all, or none in time
	noRoute          // no way to there
	closed           // the connection is ended before anything was said
	notTLS           // it speaks something else
	wrongCA          // the certificate is signed by somebody else
	wrongName        // the certificate is for other names
	outOfDate        // the certificate has expired, or is not valid yet
	clientCert       // it does not want our certificate
)

// diagnose says which fault err is, and in words that go after a subject, such
// as "is refused".
func diagnose(err error) (fault, string) {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		timeout   net.Error
		path      *fs.PathError
	)
	switch {
	case errors.As(err, &path):
		return noFile, fmt.Sprintf("cannot be tried: %s: %v", path.Path, path.Err)
	case errors.As(err, &host):
		return wrongName, "has a certificate that does not name it; the certificate names " + names(host.Certificate)
	case errors.As(err, &authority):
		return wrongCA, "has a certificate of another CA" + issuer(authority.Cert)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return outOfDate, fmt.Sprintf("has a certificate that is valid from %s to %s only",
			invalid.Cert.NotBefore.Format("2006-01-02 15:04"), invalid.Cert.NotAfter.Format("2006-01-02 15:04"))
	case errors.As(err, &record):
		return notTLS, "does not speak TLS"
	case errors.As(err, &alert), err != nil && strings.Contains(err.Error(), "remote error: tls:"):
		return clientCert, "refuses this side of TLS (" + oneLine(err) + ")"
	case errors.As(err, &dns) && dns.IsTimeout:
		return silent, "cannot be looked up: the name server does not answer"
	case errors.As(err, &dns):
		return noSuchName, "is not a name that can be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused, "refuses the connection: nobody listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return noRoute, "cannot be reached from here"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(), status.Code(err) == codes.DeadlineExceeded:
		return silent, "does not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return closed, "ends the connection without a word"
	}
	return otherFault, "does not work: " + oneLine(err)
}

// names lists for whom a certificate is.
func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "nobody"
	}
	return strings.Join(all, ", ")
}

func issuer(c *x509.Certificate) string {
	if c == nil || c.Issuer.String() == "" {
		return ""
	}
	return ": it is signed by " + c.Issuer.String()
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
