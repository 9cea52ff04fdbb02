// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
		"WATCHDOG=1":                    n.Alive,
	} {
		send()
		if got := receive(); got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
}

func TestReloadingSaysSinceWhen(t *testing.T) {
	receive, path := manager(t)
	t.Setenv(socketVariable, path)
	Take().Reloading()
	if got := receive(); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*\s*$`).MatchString(got) {
		t.Errorf("sent %q", got)
	}
}

func TestWatchdogOfThisProcessOnly(t *testing.T) {
	for name, test := range map[string]struct {
		usec, pid string
		want      time.Duration
	}{
		"this process's":    {"30000000", strconv.Itoa(os.Getpid()), 30 * time.Second},
		"for any process":   {"5000000", "", 5 * time.Second},
		"another process's": {"30000000", "1", 0},
		"none":              {"", "", 0},
		"not an interval":   {"soon", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", test.usec)
			t.Setenv("WATCHDOG_PID", test.pid)
			if test.pid == "" {
				if err := os.Unsetenv("WATCHDOG_PID"); err != nil {
					t.Fatal(err)
				}
			}
			if got := Take().WatchdogInterval(); got != test.want {
				t.Errorf("the interval is %s, want %s", got, test.want)
			}
			if v, left := os.LookupEnv("WATCHDOG_USEC"); left {
				t.Errorf("WATCHDOG_USEC=%s is left in the environment", v)
			}
		})
	}
}

func TestWithoutAServiceManagerNothingHappens(t *testing.T) {
	t.Setenv(socketVariable, "")
	Take().Ready("up")
	Notifier{socket: filepath.Join(t.TempDir(), "gone")}.Ready("up")
}
