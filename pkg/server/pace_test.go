// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/procfs"
)

// follow is a pace that notes what it does, 0 for what is given back, with a heap
// that allocates so many bytes a second.
func follow(t *testing.T, h *heap, rate *uint64) (does *[]int) {
	t.Helper()
	does = new([]int)
	c := newPace(50)
	c.gc = func(percent int) { *does = append(*does, percent) }
	c.slack = func(d time.Duration) { *does = append(*does, int(d)) }
	c.free = func() { *does = append(*does, 0) }
	var last time.Time
	c.sample = func() heap {
		if now := time.Now(); !last.IsZero() {
			grown := *rate * uint64(now.Sub(last)) / uint64(time.Second)
			h.now, h.allocated, last = h.now+grown, h.allocated+grown, now
		} else {
			last = now
		}
		return *h
	}
	go c.run(t.Context())
	return does
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rate := &heap{now: 10 << 20, live: 100 << 20}, uint64(startHeap)
		does := follow(t, h, &rate)
		did := func(what string, want ...int) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(*does, want) {
				t.Errorf("%s: it does %v, want %v", what, *does, want)
			}
			*does = nil
		}
		time.Sleep(900 * time.Millisecond)
		did("a start", startPercent)
		time.Sleep(100 * time.Millisecond)
		did("a heap that has grown", goPercent)
		time.Sleep(time.Minute)
		did("work")
		rate = 5 << 20 // the live heap takes 20 s
		time.Sleep(restLooks*look + look)
		did("rest", 50, int(timerSlack), 0)
		time.Sleep(time.Hour)
		did("further rest")
		rate = 8 << 20 // 12 s
		time.Sleep(time.Hour)
		did("neither rest nor work")
		rate = 20 << 20 // 5 s
		time.Sleep(2 * look)
		did("work again", goPercent, 0)
		rate = 0
		time.Sleep(look)
		rate = 20 << 20
		time.Sleep(2 * look)
		did("a pause in it")
		rate = 8 << 20
		time.Sleep(time.Hour)
		did("neither work nor rest")
		rate = 0
		time.Sleep(restLooks*look + look)
		did("rest again", 50, int(timerSlack), 0)
	})
}

func TestAStartThatNeedsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate := uint64(0)
		does := follow(t, &heap{live: 10 << 20}, &rate)
		time.Sleep(startLasts + restLooks*look + look)
		synctest.Wait()
		if want := []int{startPercent, goPercent, 50, int(timerSlack), 0}; !slices.Equal(*does, want) {
			t.Errorf("it does %v, want %v", *does, want)
		}
	})
}

func TestPaceAsksTheRuntime(t *testing.T) {
	percent := func() int {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return int(sample[0].Value.Uint64())
	}
	defer debug.SetGCPercent(percent())
	debug.SetGCPercent(77)
	newPace(0).gc(goPercent)
	if percent() != 77 {
		t.Errorf("what the user has set, 77, is %d", percent())
	}
	newPace(50).gc(goPercent)
	if percent() != goPercent {
		t.Errorf("GOGC is %d, want %d", percent(), goPercent)
	}

	before := sampleHeap()
	kept := make([]byte, 64<<20)
	after := sampleHeap()
	if after.now < 64<<20 || after.allocated-before.allocated < 64<<20 {
		t.Errorf("64 MiB more are %+v after %+v", after, before)
	}
	runtime.GC()
	if live := sampleHeap().live; live < 64<<20 {
		t.Errorf("of 64 MiB that are in use, %d bytes are alive", live)
	}
	runtime.KeepAlive(kept)
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

func TestTimerSlackIsThatOfAllThreads(t *testing.T) {
	if errno := setTimerSlack(timerSlack); errno == syscall.ENOTSUP {
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
