// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/procfs"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestAStartIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var settled []time.Duration
		g := &settling{time.AfterFunc(settledAfter, func() { settled = append(settled, time.Since(begun)) })}
		g.timer.Stop()
		becomes := func(before, state supervisor.State) {
			g.onEvent(supervisor.Event{Status: supervisor.Status{State: state}, Before: supervisor.Status{State: before}})
		}
		time.Sleep(time.Minute)
		becomes(supervisor.Starting, supervisor.Running)
		time.Sleep(5 * time.Second)
		becomes(supervisor.Starting, supervisor.Standby) // later than the first: once for both
		time.Sleep(time.Minute)
		becomes(supervisor.Running, supervisor.Stopping)
		becomes(supervisor.Standby, supervisor.Standby)
		time.Sleep(time.Minute)
		becomes(supervisor.Standby, supervisor.Leading) // a takeover is a start
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []time.Duration{75 * time.Second, 195 * time.Second}
		if len(settled) != 2 || settled[0] != want[0] || settled[1] != want[1] {
			t.Errorf("it settles at %v, want %v", settled, want)
		}
	})
}

func TestTheBinaryIsUnmapped(t *testing.T) {
	resident := func() uint64 {
		t.Helper()
		self, err := procfs.Self()
		if err != nil {
			t.Fatal(err)
		}
		status, err := self.NewStatus()
		if err != nil {
			t.Fatal(err)
		}
		return status.RssFile
	}
	mapped := resident()
	if unmapped := unmapBinary(); uint64(unmapped) < mapped {
		t.Errorf("it has %d bytes of files in memory, and unmaps %d", mapped, unmapped)
	}
	if now := resident(); now >= mapped/2 {
		t.Errorf("of %d bytes of files in memory %d are left", mapped, now)
	}
}

func TestTimersAreSlackenedInAllThreads(t *testing.T) {
	if errno := slackenTimers(); errno == syscall.ENOTSUP {
		t.Skip("a binary with cgo, as the race detector's is, cannot do it")
	} else if errno != 0 {
		t.Fatal(errno)
	}
	threads, err := procfs.AllThreads(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		slack, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", thread.PID))
		if errors.Is(err, fs.ErrPermission) {
			t.Skip(err)
		}
		if got := strings.TrimSpace(string(slack)); err != nil || got != strconv.FormatInt(timerSlack.Nanoseconds(), 10) {
			t.Errorf("thread %d has a slack of %s ns, %v", thread.PID, got, err)
		}
	}
}
