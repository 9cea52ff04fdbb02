// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime"
	"runtime/debug"
	"sync"

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

// The heap that a start is given before garbage is collected for the first time is
// no more than it comes to with Go's own GOGC, which collects ten times on the way.
// Go begins at 4 MB per 100 percent, see gcControllerState.heapMinimum in
// runtime/mgcpacer.go.
const (
	startHeap    = 192 << 20
	goPercent    = 100
	startPercent = startHeap / (4 << 20) * goPercent
)

// collector is Go's GOGC through a start and after it.
type collector struct {
	mu     sync.Mutex
	atRest int  // GOGC after a start
	rests  bool // that is set
}

// newCollector begins a start. With atRest 0 the user has set GOGC, which is left as
// it is.
func newCollector(atRest int) *collector {
	c := &collector{atRest: atRest}
	if atRest == 0 {
		return c
	}
	debug.SetGCPercent(startPercent)
	// What nobody refers to any more is gone with the first collection.
	runtime.AddCleanup(new(*collector), (*collector).collected, c)
	return c
}

// collected is called after the first collection, whatever that was for.
func (c *collector) collected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.rests {
		debug.SetGCPercent(goPercent)
	}
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
