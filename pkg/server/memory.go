// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// limitMemory has Go collect its garbage before the kernel holds the process back or
// ends it.
func limitMemory(p *plan.Plan) {
	if p.MemoryLimit == 0 {
		return
	}
	debug.SetMemoryLimit(p.MemoryLimit)
	klog.InfoS("Go's memory is limited to what the machine leaves it", "limitMiB", p.MemoryLimit>>20, "ofMiB", p.Machine.Usable()>>20)
}

// startHeap is how large the heap of a start becomes before garbage is collected for
// the first time: no larger than with Go's own GOGC, which collects ten times on the
// way there.
const startHeap = 192 << 20

// Of Go's GOGC: its own, and what keeps the runtime from collecting by itself before
// twice startHeap. It begins at 4 MB for each 100 percent, see
// gcControllerState.heapMinimum in runtime/mgcpacer.go.
const (
	goPercent    = 100
	startPercent = 2 * startHeap / (4 << 20) * goPercent
)

// heapPoll is how often the heap of a start is looked at.
const heapPoll = 10 * time.Millisecond

// collector is Go's GOGC through a start and after it.
type collector struct {
	atRest int // GOGC after a start, or 0 where the user has set it
	mu     sync.Mutex
	rests  bool // the start is over
}

// newCollector begins a start.
func newCollector(atRest int) *collector {
	c := &collector{atRest: atRest}
	if atRest != 0 {
		debug.SetGCPercent(startPercent)
		go c.awaitHeap(startHeap)
	}
	return c
}

// awaitHeap returns when the heap has grown to so many bytes, or the start is over.
func (c *collector) awaitHeap(size uint64) {
	ticks := time.NewTicker(heapPoll)
	defer ticks.Stop()
	for !c.collectsFrom(size) {
		<-ticks.C
	}
}

// collectsFrom has the runtime collect as it would by itself once the heap has grown
// to so many bytes, and says whether that is settled. The runtime's own sign, a
// clean-up after the first collection, comes too late on a busy machine: by then the
// heap has grown to half as much again.
func (c *collector) collectsFrom(size uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rests {
		return true
	}
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	if metrics.Read(heap); heap[0].Value.Uint64() < size {
		return false
	}
	debug.SetGCPercent(goPercent)
	return true
}

// rest is for when a start is over: it gives back what that has left behind, of
// which the runtime would keep as much once more as is in use.
func (c *collector) rest() {
	c.mu.Lock()
	c.rests = true
	if c.atRest != 0 {
		debug.SetGCPercent(c.atRest)
	}
	c.mu.Unlock()
	debug.FreeOSMemory()
}
