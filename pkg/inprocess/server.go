// SPDX-License-Identifier: Apache-2.0

// Package inprocess leads requests of clients to a server in the same process by
// a call of its handler, without a connection, TLS and HTTP/2's frames.
//
// Nothing else is left out: the handler is the one that the port has, with
// authentication, authorization, flow control and audit, and it sees the request as
// it would come in at the port, with the client's certificate. Only what a client
// would have sent to this process's own port goes that way, and only while the port
// is open; see [Server.Wrap].
package inprocess

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// Server is the one server of this process that clients of this process reach
// without a connection. Its zero value is not served yet.
type Server struct {
	port atomic.Pointer[port]
}

// port is where the server is reached by others.
type port struct {
	addr    *net.TCPAddr
	handler http.Handler
	base    context.Context // of all requests
	end     context.CancelFunc
	// opened and closed are closed when that happens.
	opened, closed chan struct{}
	open, close    func() // each once
}

// Serve has requests answered by h, the handler of the port l, for as long as that is
// open: from the first Accept of the listener that it returns until its Close. Requests
// that come before wait, as connections do that nobody has accepted yet. What
// those requests start carries ctx's profiling labels. end is called when the server
// has ended, and cancels the requests that are in flight still.
//
// A listener that is not TCP's is returned as it is, and everybody uses it.
func (s *Server) Serve(ctx context.Context, l net.Listener, h http.Handler) (wrapped net.Listener, end func()) {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return l, func() {}
	}
	// httputil.ReverseProxy looks for the server in the context before it aborts.
	base := context.WithValue(context.WithoutCancel(ctx), http.ServerContextKey, &http.Server{Handler: h})
	base, cancel := context.WithCancel(context.WithValue(base, http.LocalAddrContextKey, net.Addr(addr)))
	p := &port{addr: addr, handler: h, base: base, end: cancel, opened: make(chan struct{}), closed: make(chan struct{})}
	p.open = sync.OnceFunc(func() { close(p.opened) })
	p.close = sync.OnceFunc(func() { close(p.closed) })
	s.port.Store(p)
	return &listener{Listener: l, port: p}, func() {
		p.close()
		p.end()
	}
}

// listener tells its port when it opens and when it closes.
type listener struct {
	net.Listener
	port *port
}

func (l *listener) Accept() (net.Conn, error) {
	l.port.open()
	return l.Listener.Accept()
}

func (l *listener) Close() error {
	l.port.close()
	return l.Listener.Close()
}

// wait returns once the port is open, or why a request can't be made.
func (p *port) wait(ctx context.Context) error {
	select {
	case <-p.opened:
	case <-p.closed:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-p.closed:
		return p.refused()
	default:
		return nil
	}
}

// source returns from which address of this machine a connection to host, at the
// port, would come, or nil where host may be another machine. Names and addresses
// that can move, as those of load balancers do, are not taken for this machine's.
func (p *port) source(host string) net.IP {
	ip := net.ParseIP(host)
	if host == "localhost" {
		ip = net.IPv4(127, 0, 0, 1)
	}
	switch {
	case ip == nil:
		return nil
	case ip.Equal(p.addr.IP):
		return ip
	case !p.addr.IP.IsUnspecified() || !ip.IsLoopback():
		return nil
	case ip.To4() == nil && p.addr.IP.To4() != nil:
		return nil // nobody listens there
	}
	return ip
}

// refused is what the kernel says where nobody listens.
func (p *port) refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: p.addr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}
