// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// startHeap is how large the heap of a start becomes before garbage is collected for
// the first time: no larger than with Go's own GOGC, which collects ten times on the
// way there. A start that stays below it for startLasts has come to rest.
const (
	startHeap  = 192 << 20
	startLasts = 10 * time.Second
)

// Of Go's GOGC: its own, and what keeps the runtime from collecting by itself before
// twice startHeap. It begins at 4 MB for each 100 percent, see
// gcControllerState.heapMinimum in runtime/mgcpacer.go.
const (
	goPercent    = 100
	startPercent = 2 * startHeap / (4 << 20) * goPercent
)

// How often the heap is looked at in a start, and after it; after how many looks in a
// row the process is at rest, when memory is given back, and after how many once more,
// when nothing is left to come; and in how many looks it allocates as much as is alive, at
// most when it works, and at least when it rests.
const (
	startLook  = 10 * time.Millisecond
	look       = time.Second
	restLooks  = 2
	againLooks = 10
	workAllocs = 10
	restAllocs = 20
)

// restLive is how much may be alive in a process that comes to rest, and restsLive in one
// that stays so. With more, each collection costs CPU seconds, and there is always enough
// to do that some of them are spared by Go's own GOGC.
const (
	restLive  = 512 << 20
	restsLive = restLive + restLive/4
)

// timerSlack is by how much the kernel may let a sleep of the process at rest last
// longer, to wake it up once for several timers. Its about ninety work queues alone
// ask for 170 wake-ups a second, each at a time of its own.
const timerSlack = 5 * time.Millisecond

// pace is how the process treats its garbage, its memory and its timers by what it
// does. While it works, collecting costs the CPU time that the work needs. When it
// rests, memory and wake-ups are what it costs others, and what the work has left
// behind is given back.
type pace struct {
	gc      func(percent int) // sets GOGC
	slack   func(time.Duration)
	free    func()
	atRest  int // GOGC
	sample  func() heap
	last    heap
	resting bool
	rests   int // looks in a row
	rested  int // looks since it came to rest
}

// heap is what the runtime says of it, in bytes.
type heap struct {
	now       uint64 // with garbage
	live      uint64 // after the last collection
	allocated uint64 // since the process began
}

// newPace has GOGC at rest. It is 0 where the user has set it, and it is left so.
func newPace(atRest int) *pace {
	return &pace{
		atRest: atRest, sample: sampleHeap,
		gc: func(percent int) {
			if atRest != 0 {
				debug.SetGCPercent(percent)
			}
		},
		slack: func(d time.Duration) { _ = setTimerSlack(d) },
		free: func() {
			// The runtime would keep for later as much once more as is in use.
			debug.FreeOSMemory()
			unmapBinary()
		},
	}
}

func sampleHeap() heap {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return heap{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()}
}

// run begins with a start, and returns when ctx ends.
func (p *pace) run(ctx context.Context) {
	p.gc(startPercent)
	p.start(ctx)
	p.gc(goPercent)
	p.last = p.sample()
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			p.look(p.sample())
		case <-ctx.Done():
			return
		}
	}
}

// start returns when the heap of a start has grown. The runtime's own sign, a clean-up
// after the first collection, comes too late on a busy machine: by then the heap has
// grown to half as much again.
func (p *pace) start(ctx context.Context) {
	ctx, end := context.WithTimeout(ctx, startLasts)
	defer end()
	ticks := time.NewTicker(startLook)
	defer ticks.Stop()
	for p.sample().now < startHeap {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// look judges what was allocated since the last look.
func (p *pace) look(now heap) {
	allocated := now.allocated - p.last.allocated
	p.last = now
	if allocated*restAllocs > now.live {
		p.rests = 0
	} else {
		p.rests++
	}
	p.rested++
	switch {
	case p.resting && (allocated*workAllocs > now.live || now.live > restsLive):
		p.resting = false
		p.gc(goPercent)
		p.slack(0)
	case !p.resting && p.rests >= restLooks && now.live <= restLive:
		p.resting, p.rested = true, 0
		p.gc(p.atRest)
		p.slack(timerSlack)
		p.free()
	case p.resting && p.rested == againLooks:
		p.free()
	}
}

// setTimerSlack sets it for all threads, 0 for what it was at first; those that are
// made later inherit it. What arrives on a connection is waited for as before. In a
// binary with cgo, which ours is not, it does nothing, and returns ENOTSUP.
func setTimerSlack(d time.Duration) syscall.Errno {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, uintptr(d.Nanoseconds()), 0)
	return errno
}

// unmapBinary has the pages of the binary leave this process's memory: code and
// tables that only a start needs are about half of what is mapped by then. What is
// used comes back at its first use, from the kernel's page cache. It returns how many
// bytes of address space that were.
func unmapBinary() (unmapped uintptr) {
	self, err := procfs.Self()
	if err != nil {
		return 0 // without /proc it stays where it is, as below
	}
	binary, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0
	}
	maps, err := self.ProcMaps()
	if err != nil {
		return 0
	}
	for _, m := range maps {
		// What has been written to is nowhere else.
		if m.Pathname != binary || m.Perms.Write {
			continue
		}
		size := m.EndAddr - m.StartAddr
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.StartAddr, size, unix.MADV_DONTNEED); errno == 0 {
			unmapped += size
		}
	}
	return unmapped
}
