// SPDX-License-Identifier: Apache-2.0

// Package edge has a controller with `profile: edge` stand still for longer than a
// lease of the lab bears, and bear that.
package edge

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// pause is longer than a leader with the lab's flags keeps its lease (12 s) and
// shorter than one with edge does (45 s).
const pause = 14 * time.Second

func TestEdgeBearsAPause(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("edge", e.FreePorts())
	c.Args = []string{"--profile", "edge", "--kube-scheduler-arg", "leader-elect-retry-period=4s"}
	flags := command(c, append([]string{"flags"}, c.RunArgs()...)...)
	for name, by := range map[string]string{
		"leader-elect-lease-duration": "profile edge", "max-requests-inflight": "profile edge", "leader-elect-retry-period  4s": "flag",
	} {
		if !hasLine(flags, name, by) {
			t.Errorf("flags does not say that --%s is set by %s:\n%s", name, by, flags)
		}
	}

	c.StartReady()
	e.Eventually("both leases", func(ctx context.Context) error { return cluster.BothHeld(ctx, c.Client()) })
	held := map[string]string{}
	for _, name := range cluster.Leases() {
		lease, err := cluster.Lease(e.Context(), c.Client(), name)
		e.Must(err)
		if got := ptr.Deref(lease.Spec.LeaseDurationSeconds, 0); got != 60 {
			t.Errorf("the lease %s lasts %d s", name, got)
		}
		held[name] = ptr.Deref(lease.Spec.HolderIdentity, "")
	}

	e.Must(c.Process.Signal(syscall.SIGSTOP))
	time.Sleep(pause) // which is what is tested
	e.Must(c.Process.Signal(syscall.SIGCONT))
	began := time.Now()
	e.Eventually("both leases to be renewed by the same", func(ctx context.Context) error {
		for name, holder := range held {
			lease, err := cluster.Lease(ctx, c.Client(), name)
			switch {
			case err != nil:
				return err
			case ptr.Deref(lease.Spec.HolderIdentity, "") != holder:
				t.Fatalf("the lease %s of %s was taken by %s", name, holder, ptr.Deref(lease.Spec.HolderIdentity, ""))
			case lease.Spec.RenewTime == nil || lease.Spec.RenewTime.Time.Before(began):
				return fmt.Errorf("%s was renewed last at %s", name, lease.Spec.RenewTime)
			}
		}
		return nil
	})
	e.Eventually("status to say that it stood still, and that all is well", func(context.Context) error {
		said := command(c, "status", "--root", c.Root)
		for _, text := range []string{" is ready; ", "this process stood still once"} {
			if !strings.Contains(said, text) {
				return fmt.Errorf("no %q in:\n%s", text, said)
			}
		}
		if !slices.ContainsFunc(strings.Split(said, "\n"), func(l string) bool { return slices.Equal(strings.Fields(l), []string{"profile", "edge"}) }) {
			return fmt.Errorf("no profile in:\n%s", said)
		}
		if strings.Contains(said, "would bear that") {
			return errors.New("the profile is advised to who has it")
		}
		return nil
	})
	for line := range strings.Lines(command(c, "status", "--root", c.Root)) {
		if fields := strings.Fields(line); len(fields) > 3 && (fields[0] == cluster.ControllerManagerLease || fields[0] == cluster.SchedulerLease) && fields[3] != "0" {
			t.Errorf("it was started again: %s", line)
		}
	}
	c.StopInOrder()
}

// command returns what a command says, whatever its exit code.
func command(c *harness.Controller, args ...string) string {
	out, _ := exec.CommandContext(c.Context(), c.Binary(), args...).Output()
	return string(out)
}

// hasLine reports whether a line has the flag, and ends with who has set it.
func hasLine(text, flag, by string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.Join(strings.Fields(line), " "), "--"+strings.Join(strings.Fields(flag), " ")) && strings.HasSuffix(strings.TrimSpace(line), by) {
			return true
		}
	}
	return false
}
