// SPDX-License-Identifier: Apache-2.0

package etcdbalancer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout is what the kernel gives the other side to acknowledge what was sent.
// gRPC sets it to the time-out of the apiserver's keepalive, on connections of its
// own only (k8s.io/apiserver/pkg/storage/storagebackend/factory/etcd3.go).
const userTimeout = 10 * time.Second

// returnWithin is within which the connections to a member that is back are made
// anew: all resources of all controllers at once would be a load of their own.
const returnWithin = 2 * time.Second

var dialer = net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}}

// Dial connects to a member; to one that is left out, once it is back. Everybody
// else is connected to as usual.
func (b *Balancer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	m := b.byAddress[address]
	if m == nil {
		return dialer.DialContext(ctx, network, address)
	}
	if err := m.await(ctx); err != nil {
		return nil, err
	}
	tcp, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := m.conns.add(tcp)
	if m.left.Load() { // meanwhile
		c.Close()
	}
	return c, nil
}

// await waits for a member to be back.
func (m *member) await(ctx context.Context) error {
	back := m.whenBack()
	if back == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s does not answer, and is left out until it does: %w", m.endpoint, ctx.Err())
	case <-back:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(returnWithin)):
		return nil
	}
}

// conns are the open connections to a member.
type conns struct {
	mu   sync.Mutex
	open map[*conn]struct{}
}

// conn is a connection that its member's conns know while it is open.
type conn struct {
	net.Conn
	of *conns
}

func (s *conns) add(c net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*conn]struct{}{}
	}
	out := &conn{c, s}
	s.open[out] = struct{}{}
	return out
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// close closes all and returns how many there were.
func (s *conns) close() int {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close() // whoever uses it hears of it
	}
	return len(open)
}
