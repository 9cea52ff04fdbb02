// SPDX-License-Identifier: Apache-2.0

package connerr

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"time"
)

// Dial connects once to a server of gRPC or HTTP, with TLS where its URL says
// https, and closes the connection again: gRPC hides why a connection fails. The
// URL has to name a port. config may be nil without TLS. Dial ends with ctx.
func Dial(ctx context.Context, server string, config *tls.Config) error {
	u, err := url.Parse(server)
	if err != nil {
		return err
	}
	if u.Scheme != "https" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	config = config.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	return greet(ctx, conn)
}

// greeting is HTTP/2's connection preface and an empty SETTINGS frame (RFC 9113,
// section 3.4). A server of HTTP/1.1 answers it with an error.
const greeting = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// greet waits for the first byte of an answer: in TLS 1.3 the client's handshake
// is over before the server has looked at the client's certificate.
func greet(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// Where it fails, the alert that says why can still be read.
	_, _ = io.WriteString(conn, greeting)
	_, err := io.ReadFull(conn, make([]byte, 1))
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
