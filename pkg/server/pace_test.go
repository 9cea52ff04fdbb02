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
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/procfs"
)

// follower is a pace that notes what it does, 0 for what is given back, with a heap
// that allocates rate bytes a second.
type follower struct {
	mu   sync.Mutex
	heap heap
	rate uint64
	last time.Time
	does []int
}

func follow(t *testing.T, h heap, rate uint64) *follower {
	t.Helper()
	f := &follower{heap: h, rate: rate, last: time.Now()}
	p := newPace(50)
	p.gc = f.note
	p.slack = func(d time.Duration) { f.note(int(d)) }
	p.free = func() { f.note(0) }
	p.sample = f.sample
	go p.run(t.Context())
	return f
}

func (f *follower) note(what int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.does = append(f.does, what)
}

func (f *follower) sample() heap {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	grown := f.rate * uint64(now.Sub(f.last)) / uint64(time.Second)
	f.heap.now, f.heap.allocated, f.last = f.heap.now+grown, f.heap.allocated+grown, now
	return f.heap
}

// did is what it has done since the last question, and from now on it allocates as much
// as rate says.
func (f *follower) did(rate uint64) []int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	does := f.does
	f.does, f.rate = nil, rate
	return does
}

// alive has so much be alive from now on.
func (f *follower) alive(live uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heap.live = live
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const live, works, between, rests = 100 << 20, 20 << 20, 8 << 20, 2 << 20
		f := follow(t, heap{now: 10 << 20, live: live}, startHeap)
		atRest := []int{50, int(timerSlack), 0}
		for _, phase := range []struct {
			what  string
			lasts time.Duration
			does  []int
			then  uint64
		}{
			{"a start", 900 * time.Millisecond, []int{startPercent}, startHeap},
			{"a heap that has grown", 100 * time.Millisecond, []int{goPercent}, works},
			{"work", time.Minute, nil, rests},
			{"rest", (restLooks + 1) * look, atRest, rests},
			{"further rest", againLooks * look, []int{0}, rests},
			{"rest for good", time.Hour, nil, between},
			{"neither, after rest", time.Hour, nil, works},
			{"work again", 2 * look, []int{goPercent, 0}, rests},
			{"a pause", (restLooks - 1) * look, nil, works},
			{"work after a pause", 2 * look, nil, between},
			{"neither, after work", time.Hour, nil, rests},
			{"rest again", (restLooks + 1) * look, atRest, works},
			{"work before long", 2 * look, []int{goPercent, 0}, rests},
			{"rest at last", (restLooks + againLooks + 1) * look, append(atRest, 0), rests},
		} {
			time.Sleep(phase.lasts)
			if got := f.did(phase.then); !slices.Equal(got, phase.does) {
				t.Errorf("%s: it does %v, want %v", phase.what, got, phase.does)
			}
		}
	})
}

func TestWhoHasMuchAliveDoesNotRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, heap{now: startHeap, live: restLive + 1}, 0)
		for _, phase := range []struct {
			what string
			live uint64 // from then on
			does []int
		}{
			{"with much", restLive, []int{startPercent, goPercent}},
			{"with less", restsLive, []int{50, int(timerSlack), 0, 0}},
			{"with more", restsLive + 1, nil},
			{"with too much", restsLive, []int{goPercent, 0}},
			{"with not much less", 0, nil},
		} {
			time.Sleep(time.Hour)
			if got := f.did(0); !slices.Equal(got, phase.does) {
				t.Errorf("%s alive it does %v, want %v", phase.what, got, phase.does)
			}
			f.alive(phase.live)
		}
	})
}

func TestAStartThatNeedsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, heap{live: 10 << 20}, 0)
		time.Sleep(startLasts + (restLooks+againLooks+1)*look)
		if got, want := f.did(0), []int{startPercent, goPercent, 50, int(timerSlack), 0, 0}; !slices.Equal(got, want) {
			t.Errorf("it does %v, want %v", got, want)
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
