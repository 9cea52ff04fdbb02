// SPDX-License-Identifier: Apache-2.0

package connerr

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestErrorsHaveReasons(t *testing.T) {
	_, missing := os.Open("/nowhere/ca.pem")
	for name, test := range map[string]struct {
		err    error
		reason Reason
		words  string
	}{
		"a file":          {missing, File, "cannot be tried: /nowhere/ca.pem: no such file or directory"},
		"no such host":    {&net.DNSError{IsNotFound: true}, NoSuchHost, "is not a name that can be resolved"},
		"DNS is away":     {&net.DNSError{IsTimeout: true}, NoAnswer, "the name server does not answer"},
		"refused":         {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, Refused, "nobody listens there"},
		"no route":        {os.NewSyscallError("connect", syscall.EHOSTUNREACH), NoRoute, "cannot be reached from here"},
		"no network":      {os.NewSyscallError("connect", syscall.ENETUNREACH), NoRoute, "cannot be reached from here"},
		"a deadline":      {&url.Error{Op: "Get", Err: context.DeadlineExceeded}, NoAnswer, "does not answer in time"},
		"gRPC's deadline": {status.Error(codes.DeadlineExceeded, "late"), NoAnswer, "does not answer in time"},
		"a time-out":      {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, NoAnswer, "does not answer in time"},
		"EOF":             {fmt.Errorf("get: %w", io.EOF), Closed, "ends the connection without a word"},
		"reset":           {os.NewSyscallError("read", syscall.ECONNRESET), Closed, "ends the connection without a word"},
		"plain HTTP":      {&url.Error{Op: "Get", Err: http.ErrSchemeMismatch}, NotTLS, "does not speak TLS"},
		"long ago": {fmt.Errorf("tls: %w", x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}),
			Expired, "is valid from 0001-01-01 00:00 to 0001-01-01 00:00 only"},
		"an alert in gRPC": {status.Error(codes.Unavailable, `desc = "error reading server preface: remote error: tls: bad certificate"`),
			ClientCertRefused, "refuses the client certificate (bad certificate)"},
		"another CA, unnamed":  {x509.UnknownAuthorityError{}, UnknownCA, "has a certificate of another CA"},
		"another CA, nameless": {x509.UnknownAuthorityError{Cert: &x509.Certificate{}}, UnknownCA, "has a certificate of another CA"},
		"nobody's certificate": {x509.HostnameError{Certificate: &x509.Certificate{}}, WrongName, "the certificate names nobody"},
		"a broken pipe":        {os.NewSyscallError("write", syscall.EPIPE), Closed, "ends the connection without a word"},
		"half an answer":       {io.ErrUnexpectedEOF, Closed, "ends the connection without a word"},
		"anything":             {errors.New("it\n  broke"), Other, "does not work: it broke"},
	} {
		t.Run(name, func(t *testing.T) {
			reason, words := Explain(test.err)
			if reason != test.reason || !strings.HasSuffix(words, test.words) {
				t.Errorf("%v: got %s, %q, want %s, %q", test.err, reason, words, test.reason, test.words)
			}
		})
	}
}
