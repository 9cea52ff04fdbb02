// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime/debug"
	"time"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// garbageAfter is how long after a component has come up the memory is given back
// that its start has left behind: by then its caches are filled.
const garbageAfter = 10 * time.Second

// garbage gives memory back to the machine that only the start of a component
// needed. The runtime would keep what it may need again: as much once more as is in
// use.
type garbage struct{ timer *time.Timer }

// percent, unless it is 0, is Go's GOGC from the first time on.
func newGarbage(percent int) *garbage {
	g := &garbage{time.AfterFunc(garbageAfter, func() {
		if percent != 0 {
			debug.SetGCPercent(percent)
		}
		debug.FreeOSMemory()
	})}
	g.timer.Stop()
	return g
}

// onEvent is for the supervisor's events.
func (g *garbage) onEvent(e supervisor.Event) {
	if e.State.Up() && e.State != e.Before.State {
		g.timer.Reset(garbageAfter)
	}
}
