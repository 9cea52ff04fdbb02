// SPDX-License-Identifier: Apache-2.0

package inprocess

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Wrap is a rest.Config wrapper (transport.WrapperFunc). It has to be the innermost
// one: all others, which add credentials or refuse requests, stay in force.
//
// A request goes to the server in this process when its URL is that of the
// server's own port, at a loopback address or the one address it is bound to, and rt
// would not send it through a proxy. All others, and those that upgrade their
// connection, go through rt.
func (s *Server) Wrap(rt http.RoundTripper) http.RoundTripper {
	return &transport{server: s, next: rt}
}

type transport struct {
	server *Server
	next   http.RoundTripper
	last   atomic.Pointer[certificate] // that was presented
}

// certificate is a client's certificate, and what a server sees of it.
type certificate struct {
	*tls.Certificate
	seen *tls.ConnectionState
}

// WrappedRoundTripper lets client-go find the transport below
// (k8s.io/apimachinery/pkg/util/net.RoundTripperWrapper).
func (t *transport) WrappedRoundTripper() http.RoundTripper { return t.next }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	p := t.server.port.Load()
	if p == nil {
		return t.next.RoundTrip(req)
	}
	source, sockets := t.route(p, req)
	if sockets == nil {
		return t.next.RoundTrip(req)
	}
	err := p.wait(req.Context())
	var state *tls.ConnectionState
	if err == nil {
		state, err = t.connectionState(sockets.TLSClientConfig)
	}
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	r, err := incoming(req, net.JoinHostPort(source.String(), "0"), state)
	if err != nil {
		return nil, err
	}
	return p.exchange(r, req)
}

// route returns from which address req comes to p, and what would carry it there;
// nil, if it is to go another way.
func (t *transport) route(p *port, req *http.Request) (source net.IP, sockets *http.Transport) {
	if req.URL.Scheme != "https" || cmp.Or(req.URL.Port(), "443") != strconv.Itoa(p.addr.Port) || isUpgrade(req) {
		return nil, nil
	}
	if source = p.source(req.URL.Hostname()); source == nil {
		return nil, nil
	}
	if sockets = bottom(t.next); sockets == nil {
		return nil, nil
	}
	if sockets.Proxy != nil {
		if proxy, err := sockets.Proxy(req); err != nil || proxy != nil {
			return nil, nil
		}
	}
	return source, sockets
}

// isUpgrade reports whether req asks to have the connection for itself.
func isUpgrade(req *http.Request) bool {
	return req.Header.Get("Upgrade") != "" || req.Method == http.MethodConnect
}

// bottom returns the transport that has the sockets, or nil if it is not known.
func bottom(rt http.RoundTripper) *http.Transport {
	for {
		switch next := rt.(type) {
		case *http.Transport:
			return next
		case utilnet.RoundTripperWrapper:
			rt = next.WrappedRoundTripper()
		default:
			return nil
		}
	}
}

// connectionState is what the server would know of a connection: the client's
// certificate, whose key is here. As in a handshake, it is asked for anew each time,
// for client-go reads files again that are replaced.
func (t *transport) connectionState(config *tls.Config) (*tls.ConnectionState, error) {
	if config == nil || config.GetClientCertificate == nil {
		return &nobody, nil
	}
	own, err := config.GetClientCertificate(&tls.CertificateRequestInfo{Version: tls.VersionTLS13})
	if err != nil {
		return nil, fmt.Errorf("loading the client certificate: %w", err)
	}
	if last := t.last.Load(); last != nil && last.Certificate == own {
		return last.seen, nil
	}
	state := nobody
	for _, der := range own.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("parsing the client certificate: %w", err)
		}
		state.PeerCertificates = append(state.PeerCertificates, parsed)
	}
	t.last.Store(&certificate{Certificate: own, seen: &state})
	return &state, nil
}

// nobody is a connection without a client certificate.
var nobody = tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, NegotiatedProtocol: "h2"}

// incoming is req as a server sees it; its context is not the client's, whose values
// mean nothing there.
func incoming(req *http.Request, remote string, state *tls.ConnectionState) (*http.Request, error) {
	uri := req.URL.RequestURI()
	parsed, err := url.ParseRequestURI(uri)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	header := req.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	body, length := req.Body, req.ContentLength
	switch {
	case body == nil || body == http.NoBody:
		body, length = http.NoBody, 0
	case length == 0:
		length = -1 // a client's zero is that it does not know
	}
	return &http.Request{
		Method: cmp.Or(req.Method, http.MethodGet),
		URL:    parsed, RequestURI: uri, Host: cmp.Or(req.Host, req.URL.Host),
		Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: header, Body: body, ContentLength: length,
		RemoteAddr: remote, TLS: state,
	}, nil
}
