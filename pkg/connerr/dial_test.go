// SPDX-License-Identifier: Apache-2.0

package connerr

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// certificate is signed by itself.
func certificate(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "etcd"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serve returns the URL of a server with that TLS configuration.
func serve(t *testing.T, http2 bool, config *tls.Config) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS, s.EnableHTTP2 = config, http2
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestDial(t *testing.T) {
	good, roots := certificate(t, nil)
	misnamed, misnamedRoots := certificate(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"etcd-0"} })
	old, oldRoots := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	odd, oddRoots := certificate(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })
	untrusted, _ := certificate(t, nil)
	for _, http2 := range []bool{true, false} {
		own := &tls.Config{Certificates: []tls.Certificate{good}}
		demanding := &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
		demanding12 := demanding.Clone()
		demanding12.MaxVersion = tls.VersionTLS12
		for name, test := range map[string]struct {
			server *tls.Config
			client *tls.Config
			reason Reason
			words  string
		}{
			"all well":              {own, &tls.Config{RootCAs: roots}, "", ""},
			"with a client":         {demanding, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{good}}, "", ""},
			"another CA":            {own, &tls.Config{RootCAs: oldRoots}, UnknownCA, "of another CA"},
			"another name":          {&tls.Config{Certificates: []tls.Certificate{misnamed}}, &tls.Config{RootCAs: misnamedRoots}, WrongName, "the certificate names etcd-0"},
			"expired":               {&tls.Config{Certificates: []tls.Certificate{old}}, &tls.Config{RootCAs: oldRoots}, Expired, "is valid from"},
			"for code":              {&tls.Config{Certificates: []tls.Certificate{odd}}, &tls.Config{RootCAs: oddRoots}, BadCertificate, "incompatible key usage"},
			"no client":             {demanding, &tls.Config{RootCAs: roots}, ClientCertRefused, "wants a client certificate"},
			"an untrusted one":      {demanding, &tls.Config{RootCAs: roots, GetClientCertificate: always(untrusted)}, ClientCertRefused, "refuses the client certificate ("},
			"untrusted, in TLS 1.2": {demanding12, &tls.Config{RootCAs: roots, GetClientCertificate: always(untrusted)}, ClientCertRefused, "refuses the client certificate ("},
			"too old":               {own, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, HandshakeRefused, "protocol version"},
		} {
			t.Run(name, func(t *testing.T) {
				err := Dial(t.Context(), serve(t, http2, test.server), test.client)
				if test.reason == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if err == nil {
					t.Fatal("it connects")
				}
				reason, words := Explain(err)
				if reason != test.reason || !strings.Contains(words, test.words) {
					t.Errorf("%v: got %s, %q, want %s, %q", err, reason, words, test.reason, test.words)
				}
				switch reason {
				case UnknownCA, WrongName, Expired, BadCertificate:
					if !reason.IsServerCertificate() {
						t.Errorf("%s is no fault of the server's certificate", reason)
					}
				default:
					if reason.IsServerCertificate() {
						t.Errorf("%s is a fault of the server's certificate", reason)
					}
				}
			})
		}
	}
}

// always gives a certificate whatever CAs the server names.
func always(c tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
}

func TestDialEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pair, roots := certificate(t, nil)
	deaf, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	go func() {
		conn, err := deaf.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		// Shakes hands and reads, and never writes.
		for err == nil {
			_, err = conn.Read(make([]byte, 1024))
		}
	}()
	for name, address := range map[string]net.Addr{"without a handshake": l.Addr(), "without an answer": deaf.Addr()} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := Dial(ctx, "https://"+address.String(), &tls.Config{RootCAs: roots})
		cancel()
		if err == nil {
			t.Errorf("%s: it connects", name)
			continue
		}
		if reason, words := Explain(err); reason != NoAnswer || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v: got %s, %q", name, err, reason, words)
		}
	}
}

func TestDialWithoutTLS(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	if err := Dial(t.Context(), s.URL, nil); err != nil {
		t.Error(err)
	}
	if err := Dial(t.Context(), strings.Replace(s.URL, "http:", "https:", 1), &tls.Config{}); err == nil {
		t.Error("a server without TLS is taken for one with it")
	} else if reason, words := Explain(err); reason != NotTLS {
		t.Errorf("%v: got %s, %q", err, reason, words)
	}
	s.Close()
	if err := Dial(t.Context(), s.URL, nil); err == nil {
		t.Error("it connects where nobody listens")
	} else if reason, words := Explain(err); reason != Refused {
		t.Errorf("%v: got %s, %q", err, reason, words)
	}
}
