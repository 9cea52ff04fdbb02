// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// settledAfter is how long after a component has come up the process is taken to
// be at rest: by then its caches are filled.
const settledAfter = 10 * time.Second

// timerSlack is by how much the kernel may let the sleep of a process at rest last
// longer, to have it wake up once for several timers. Its about ninety work queues
// alone ask for 170 wake-ups a second, each at a time of its own.
const timerSlack = 5 * time.Millisecond

// settling makes the process cost less when a start is over.
type settling struct{ timer *time.Timer }

func newSettling(c *collector) *settling {
	s := &settling{time.AfterFunc(settledAfter, func() {
		c.rest()
		unmapBinary()
		slackenTimers()
	})}
	s.timer.Stop()
	return s
}

// onEvent is for the supervisor's events.
func (s *settling) onEvent(e supervisor.Event) {
	if e.State.Up() && e.State != e.Before.State {
		s.timer.Reset(settledAfter)
	}
}

// slackenTimers sets timerSlack for all threads; those that are made later inherit
// it. What arrives on a connection or a channel is waited for as before. In a binary
// with cgo, which ours is not, it does nothing, and returns ENOTSUP.
func slackenTimers() syscall.Errno {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, uintptr(timerSlack.Nanoseconds()), 0)
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
