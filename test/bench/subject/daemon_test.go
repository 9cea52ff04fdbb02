// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

func TestADaemonIsKeptUntilItIsStopped(t *testing.T) {
	// The first one works for a while and fails, as a daemon without its apiserver.
	log := filepath.Join(t.TempDir(), "log")
	const script = `[ -e "$0" ] || { : >"$0"; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 1; }; while :; do sleep 0.05; done`
	d, err := startDaemon(process.Spec{Path: "/bin/sh", Args: []string{"-c", script, filepath.Join(t.TempDir(), "mark")}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	first := d.current()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := process.WaitFor(ctx, 10*time.Millisecond, "another process", func(context.Context) error {
		if d.current() == first {
			return errors.New("it is the first one")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if used, err := d.cpuSeconds(); err != nil || used < first.CPU().Seconds() {
		t.Errorf("%v s were used, %v, less than the %v by the first one", used, err, first.CPU())
	}
	second := d.current()
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	if second.Running() || d.restart() {
		t.Error("it runs after it was stopped")
	}
}
