// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// program has a shell script take the place of khw-controller.
func program(t *testing.T, script string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "khw-controller")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KHW_CONTROLLER", path)
	t.Setenv("TMPDIR", t.TempDir())
}

// nothingIsLeft wants the process to be gone, and every file of it.
func nothingIsLeft(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v, want none", pid, err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAnInterruptionLeavesNothing(t *testing.T) {
	program(t, "exec sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	var pid int
	err := Use(ctx, KHW, nil, func(r *Run) error {
		if err := r.Start(); err != nil {
			return err
		}
		pid = r.PIDs()[0]
		return r.Await(ctx, startPatience, "something", func(context.Context) error {
			cancel()
			return errors.New("not yet")
		})
	})
	if err == nil || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("%v, want what was waited for", err)
	}
	nothingIsLeft(t, pid)
}

func TestAProcessThatEndsIsNotWaitedFor(t *testing.T) {
	program(t, "echo no such key; exit 3")
	var pid int
	err := Use(t.Context(), KHW, nil, func(r *Run) error {
		_, err := r.StartReady(t.Context())
		pid = r.PIDs()[0]
		return err
	})
	if want := "khw-controller ended with exit code 3: no such key"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	nothingIsLeft(t, pid)
}

func TestStopTellsOfABadEnd(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{`trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done`, ""},
		{`trap 'echo lost; exit 1' TERM; echo up; while :; do sleep 0.05; done`, "khw-controller ended with exit code 1 after SIGTERM: lost"},
	} {
		program(t, test.script)
		err := Use(t.Context(), KHW, nil, func(r *Run) error {
			if err := r.Start(); err != nil {
				return err
			}
			if err := r.Await(t.Context(), startPatience, "the trap", func(context.Context) error {
				if !strings.Contains(r.logs(1), "up") {
					return errors.New("not set")
				}
				return nil
			}); err != nil {
				return err
			}
			return r.Stop()
		})
		if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
			t.Errorf("%s: %v, want %q", test.script, err, test.want)
		}
	}
}
