// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
	ports, err := FreePorts(8)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if seen[p] || Listening(p) {
			t.Errorf("port %d is not free", p)
		}
		seen[p] = true
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
	if n, ok := s.First("STATUS", func(string) bool { return true }); !ok || n.Value != "a=b" {
		t.Errorf("first status %q", n.Value)
	}
}
