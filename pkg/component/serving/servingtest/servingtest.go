// SPDX-License-Identifier: Apache-2.0

// Package servingtest checks what components with a secure port have in common.
package servingtest

import (
	"net"
	"testing"
)

// FreePort returns a port of 127.0.0.1 that nobody uses.
func FreePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// OpensAnew fails the test unless a component that runs again listens again:
// open is called twice, and what it returns is closed in between.
func OpensAnew(t *testing.T, open func() (net.Listener, error)) {
	t.Helper()
	for range 2 {
		l, err := open()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
