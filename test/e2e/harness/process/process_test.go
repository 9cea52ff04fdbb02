// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// orphanVariable makes this test binary start a program and end before it: its log
// goes there.
const orphanVariable = "PROCESS_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if log := os.Getenv(orphanVariable); log != "" {
		p, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", "while :; do sleep 1; done"}, Log: log})
		if err != nil {
			os.Exit(1)
		}
		fmt.Print(p.PID())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, script string, env ...string) *Process {
	t.Helper()
	p, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", script}, Env: env, Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestStartKeepsOutputAndExitCode(t *testing.T) {
	p := start(t, `echo one; echo two >&2; exit $CODE`, "CODE=3")
	if got := p.ExitCode(); got != 3 {
		t.Errorf("exit code %d, want 3", got)
	}
	if got := p.Tail(1); got != "two" {
		t.Errorf("tail %q, want %q", got, "two")
	}
	if got := len(p.Lines()); got != 2 {
		t.Errorf("%d lines, want 2", got)
	}
}

func TestStartAddsToEnvironmentAndLog(t *testing.T) {
	t.Setenv("OF_THE_TEST", "kept")
	log := filepath.Join(t.TempDir(), "log")
	for range 2 {
		p, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", `echo "$OF_THE_TEST $OWN"`}, Env: []string{"OWN=added"}, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if code := p.ExitCode(); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		if got := p.Tail(1); got != "kept added" {
			t.Errorf("it says %q", got)
		}
		if _, err := p.Stop(10 * time.Second); err != nil {
			t.Errorf("stopping what has ended: %v", err)
		}
	}
	if data, err := os.ReadFile(log); err != nil || string(data) != "kept added\nkept added\n" {
		t.Errorf("the log of two runs: %q, %v", data, err)
	}
}

// TestStoppingWhatEndsByItselfIsNoError has the end known to the kernel before it is to
// who stops it.
func TestStoppingWhatEndsByItselfIsNoError(t *testing.T) {
	for range 100 {
		p := start(t, "exit 0")
		for p.Signal(syscall.Signal(0)) == nil {
			runtime.Gosched()
		}
		if _, err := p.Stop(10 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingOutlivesItsStarter(t *testing.T) {
	starter := exec.CommandContext(t.Context(), os.Args[0])
	starter.Env = append(os.Environ(), orphanVariable+"="+filepath.Join(t.TempDir(), "log"))
	pid, err := starter.Output()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := WaitFor(ctx, 5*time.Millisecond, "its end", func(context.Context) error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") { // nobody has to have waited for it
			return nil
		}
		return fmt.Errorf("it runs: %s", stat)
	}); err != nil {
		t.Error(err)
	}
}

func TestStop(t *testing.T) {
	p := start(t, `trap 'exit 7' TERM; echo ready; while :; do read x <&3 || sleep 0.05; done 3</dev/null`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := WaitFor(ctx, 5*time.Millisecond, "the trap", func(context.Context) error {
		if !strings.Contains(p.Tail(1), "ready") {
			return errors.New("not set")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	code, err := p.Stop(10 * time.Second)
	if err != nil || code != 7 {
		t.Errorf("Stop = %d, %v, want 7", code, err)
	}
	if p.Running() {
		t.Error("still running")
	}
}

func TestStopRunsOutOfPatience(t *testing.T) {
	p := start(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`)
	for p.Tail(1) != "ready" {
		if !p.Running() {
			t.Fatal("ended early")
		}
	}
	if _, err := p.Stop(20 * time.Millisecond); err == nil {
		t.Error("no error for a process that does not stop")
	}
}

func TestWaitForReportsTheLastError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	cause := errors.New("not yet")
	err := WaitFor(ctx, time.Millisecond, "rain", func(context.Context) error { return cause })
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "rain") {
		t.Errorf("got %v", err)
	}
}

func TestFreePortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 2 {
		ports, err := FreePorts(8)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ports {
			if seen[p] || p < firstPort || p >= lastPort {
				t.Errorf("port %d of %v", p, ports)
			}
			seen[p] = true
		}
	}
	next.port = lastPort - 1
	if ports, err := FreePorts(2); err != nil || ports[1] >= ports[0] {
		t.Errorf("behind the last come %v, %v", ports, err)
	}
	if ports, err := FreePorts(lastPort - firstPort + 1); err == nil {
		t.Errorf("there are %d", len(ports))
	}
}

func TestListening(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if !Listening(port) {
		t.Errorf("nobody is seen on port %d", port)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if Listening(port) {
		t.Errorf("somebody is seen on port %d after its end", port)
	}
}

func TestKillWaitsForTheEnd(t *testing.T) {
	p := start(t, `trap '' TERM; while :; do sleep 0.05; done`)
	if !p.Running() {
		t.Fatal("ended early")
	}
	p.Kill()
	if p.Running() || p.ExitCode() != -1 {
		t.Errorf("after Kill: running %v, exit code %d", p.Running(), p.ExitCode())
	}
	p.Kill() // of what has ended
}

func TestCPUIsThatOfTheProcess(t *testing.T) {
	busy := start(t, `i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done`)
	idle := start(t, `:`)
	if b, i := busy.CPU(), idle.CPU(); b <= i {
		t.Errorf("a busy process took %s, an idle one %s", b, i)
	}
}

func TestNotifySocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := ListenNotify(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, m := range []string{"STATUS=a=b", "READY=1\nSTATUS=c"} {
		if _, err := conn.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = WaitFor(ctx, time.Millisecond, "both", func(context.Context) error {
		if s.Last("STATUS") != "c" {
			return errors.New(s.Last("STATUS"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ key, like, want string }{
		{"STATUS", "", "a=b"},
		{"STATUS", "c", "c"},
		{"READY", "", "1"},
	} {
		n, ok := s.First(test.key, func(value string) bool { return strings.Contains(value, test.like) })
		if !ok || n.Value != test.want || n.Time.IsZero() {
			t.Errorf("the first %s with %q is %+v, want %q", test.key, test.like, n, test.want)
		}
	}
	if n, ok := s.First("STOPPING", func(string) bool { return true }); ok {
		t.Errorf("got %+v, which was never sent", n)
	}
}
