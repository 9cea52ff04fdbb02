// SPDX-License-Identifier: Apache-2.0

package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/procfs"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestGarbageOfAStartIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var freed []time.Duration
		g := &garbage{time.AfterFunc(garbageAfter, func() { freed = append(freed, time.Since(begun)) })}
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
		if len(freed) != 2 || freed[0] != want[0] || freed[1] != want[1] {
			t.Errorf("memory is given back at %v, want %v", freed, want)
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
