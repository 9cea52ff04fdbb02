// SPDX-License-Identifier: Apache-2.0

// Package harness is what the scenarios have in common: real processes in a
// directory of their own, ended and cleaned up with the test, their logs shown
// when it fails. KEEP=1 keeps the directory of a failed test.
package harness

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Patience is how long anything that has no deadline of its own may take.
const Patience = 60 * time.Second

// interval is how often conditions are looked at.
const interval = 50 * time.Millisecond

// Env is one scenario's directory and processes.
type Env struct {
	*testing.T
	// Dir is the scenario's own directory; its path is short enough for sockets.
	Dir string
}

// New returns an empty Env that goes with t.
func New(t *testing.T) *Env {
	t.Helper()
	dir, err := os.MkdirTemp("", "khw-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("KEEP") == "1" {
			t.Logf("kept: %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return &Env{T: t, Dir: dir}
}

// Path returns a path in the Env's directory.
func (e *Env) Path(elem ...string) string { return filepath.Join(append([]string{e.Dir}, elem...)...) }

// Must ends the test on an error.
func (e *Env) Must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// Start starts a program whose log is called name, kills it when the test is
// over, and shows the end of its log when the test has failed.
func (e *Env) Start(name string, s process.Spec) *process.Process {
	e.Helper()
	s.Log = e.Path(name + ".log")
	p, err := process.Start(s)
	e.Must(err)
	e.Cleanup(func() {
		p.Kill()
		if e.Failed() {
			e.Logf("the end of %s:\n%s", s.Log, p.Tail(40))
		}
	})
	return p
}

// Eventually waits until done returns nil, and fails the test after Patience.
func (e *Env) Eventually(what string, done func(context.Context) error) {
	e.Helper()
	e.Within(Patience, what, done)
}

// Within waits until done returns nil, and fails the test after d.
func (e *Env) Within(d time.Duration, what string, done func(context.Context) error) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), d)
	defer cancel()
	e.Must(process.WaitFor(ctx, interval, what, done))
}

// WithinAlive is Within for something that needs p: it fails at once when p has
// ended.
func (e *Env) WithinAlive(p *process.Process, d time.Duration, what string, done func(context.Context) error) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), d)
	defer cancel()
	go func() {
		select {
		case <-p.Exited():
			cancel()
		case <-ctx.Done():
		}
	}()
	err := process.WaitFor(ctx, interval, what, done)
	if err != nil && !p.Running() {
		e.Fatalf("%v (process %d ended with exit code %d)", err, p.PID(), p.ExitCode())
	}
	e.Must(err)
}
