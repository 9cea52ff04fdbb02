// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// manager listens as a service manager does.
func manager(t *testing.T) (receive func() string, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func() string {
		t.Helper()
		buf := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}, path
}

func TestEveryMessage(t *testing.T) {
	receive, path := manager(t)
	t.Setenv(socketVariable, path)
	n := Take()
	if _, left := os.LookupEnv(socketVariable); left {
		t.Error("the socket is left in the environment, for k8s.io/apiserver to say READY=1 on")
	}
	for want, send := range map[string]func(){
		"STATUS=starting: etcd waiting": func() { n.Status("starting: etcd waiting") },
		"STATUS=one line":               func() { n.Status("one\nline") },
		"READY=1\nSTATUS=up":            func() { n.Ready("up") },
		"STOPPING=1\nSTATUS=down":       func() { n.Stopping("down") },
		"EXTEND_TIMEOUT_USEC=30000000":  func() { n.ExtendTimeout(30 * time.Second) },
	} {
		send()
		if got := receive(); got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
}

func TestWithoutAServiceManagerNothingHappens(t *testing.T) {
	t.Setenv(socketVariable, "")
	Take().Ready("up")
	Notifier{socket: filepath.Join(t.TempDir(), "gone")}.Ready("up")
}
