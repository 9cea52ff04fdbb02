// SPDX-License-Identifier: Apache-2.0

// Package connerr tells why a connection failed: every error that a dial, a TLS
// handshake, an HTTP request or a gRPC call ends with has one [Reason], on which
// callers base what to do next, and one wording for people.
package connerr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason is why a connection failed, in kinds that differ in what is to be done.
type Reason string

// The reasons.
const (
	// File: a file of our own could not be read.
	File Reason = "file"
	// NoSuchHost: DNS does not know the name.
	NoSuchHost Reason = "no such host"
	// Refused: nobody listens there.
	Refused Reason = "refused"
	// NoRoute: no way leads there.
	NoRoute Reason = "no route"
	// NoAnswer: nothing came back, or not in time.
	NoAnswer Reason = "no answer"
	// Closed: the other side ended the connection before it answered.
	Closed Reason = "closed"
	// NotTLS: the other side speaks something else.
	NotTLS Reason = "not TLS"
	// UnknownCA: its certificate is signed by a CA that we do not trust.
	UnknownCA Reason = "unknown CA"
	// WrongName: its certificate does not name it.
	WrongName Reason = "wrong name"
	// Expired: its certificate has expired, or is not valid yet.
	Expired Reason = "expired"
	// BadCertificate: its certificate fails verification in another way.
	BadCertificate Reason = "bad certificate"
	// ClientCertRefused: it does not accept our client certificate, or wants one.
	ClientCertRefused Reason = "client certificate refused"
	// HandshakeRefused: it refuses our side of TLS for another reason, such as the
	// version.
	HandshakeRefused Reason = "handshake refused"
	// Other is everything else.
	Other Reason = "other"
)

// IsServerCertificate reports whether r is a fault of the server's certificate.
func (r Reason) IsServerCertificate() bool {
	switch r {
	case UnknownCA, WrongName, Expired, BadCertificate:
		return true
	}
	return false
}

// MayPass reports whether r may be over by itself: a machine, a daemon, a route or a
// name that is not there yet.
func (r Reason) MayPass() bool {
	switch r {
	case NoSuchHost, Refused, NoRoute, NoAnswer, Closed:
		return true
	}
	return false
}

// Explain returns the Reason of err, which must not be nil, and one line of words
// that follow a subject: "refuses the connection: nobody listens there".
func Explain(err error) (Reason, string) {
	for _, explain := range []func(error) (Reason, string){explainFile, explainCertificate, explainTLS, explainNetwork} {
		if reason, words := explain(err); reason != "" {
			return reason, words
		}
	}
	return Other, "does not work: " + OneLine(err)
}

func explainFile(err error) (Reason, string) {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return File, fmt.Sprintf("cannot be tried: %s: %v", path.Path, path.Err)
	}
	return "", ""
}

func explainCertificate(err error) (Reason, string) {
	var (
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		verification *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &host):
		return WrongName, "has a certificate that does not name it; the certificate names " + names(host.Certificate)
	case errors.As(err, &authority):
		return UnknownCA, "has a certificate of another CA" + issuer(authority.Cert)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Expired, fmt.Sprintf("has a certificate that is valid from %s to %s only",
			invalid.Cert.NotBefore.Format("2006-01-02 15:04"), invalid.Cert.NotAfter.Format("2006-01-02 15:04"))
	case errors.As(err, &verification):
		return BadCertificate, "has a certificate that cannot be verified: " + OneLine(verification.Err)
	}
	return "", ""
}

// remoteAlert begins the text of an alert that the other side sent; its type is
// not exported (crypto/tls/alert.go).
const remoteAlert = "remote error: tls: "

func explainTLS(err error) (Reason, string) {
	if record := (tls.RecordHeaderError{}); errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) {
		return NotTLS, "does not speak TLS"
	}
	_, alert, ok := strings.Cut(OneLine(err), remoteAlert)
	switch alert = strings.TrimRight(alert, `"`); { // gRPC quotes it
	case !ok:
		return "", ""
	case strings.Contains(alert, "certificate required"):
		return ClientCertRefused, "wants a client certificate"
	case strings.Contains(alert, "certificate"):
		return ClientCertRefused, "refuses the client certificate (" + alert + ")"
	}
	return HandshakeRefused, "refuses this side of TLS (" + alert + ")"
}

func explainNetwork(err error) (Reason, string) {
	var (
		dns     *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsTimeout:
		return NoAnswer, "cannot be looked up: the name server does not answer"
	case errors.As(err, &dns):
		return NoSuchHost, "is not a name that can be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, "refuses the connection: nobody listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return NoRoute, "cannot be reached from here"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(), status.Code(err) == codes.DeadlineExceeded:
		return NoAnswer, "does not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Closed, "ends the connection without a word"
	}
	return "", ""
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

// OneLine returns the text of err without line breaks.
func OneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
