// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

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
		unmapBinary()
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
