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

func TestManagedByWhomTheEnvironmentNames(t *testing.T) {
	for socket, want := range map[string]bool{"": false, "/run/systemd/notify": true} {
		t.Setenv(socketVariable, socket)
		if got := Take().Managed(); got != want {
			t.Errorf("%s=%q: managed %v, want %v", socketVariable, socket, got, want)
		}
	}
}

func TestAServiceManagerThatIsGoneDisturbsNothing(t *testing.T) {
	receive, path := manager(t)
	t.Setenv(socketVariable, path)
	n := Take()
	Notifier{socket: path + "-gone"}.Ready("up") // panics if the error is passed over
	n.Ready("up")
	if got := receive(); got != "READY=1\nSTATUS=up" {
		t.Errorf("sent %q", got)
	}
}

// descriptors counts this process's open files.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestNoMessageLeavesAFileOpen(t *testing.T) {
	receive, path := manager(t)
	t.Setenv(socketVariable, path)
	n := Take()
	before := descriptors(t)
	for range 20 {
		n.Alive()
		receive()
	}
	if after := descriptors(t); after >= before+20 {
		t.Errorf("%d files are open after 20 messages, %d before", after, before)
	}
}
