// SPDX-License-Identifier: Apache-2.0

// Package machine says how large the machine is that this process has: its
// processors, its memory, and what the control groups of its unit leave of that.
package machine

import (
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Size is what this process has.
type Size struct {
	// CPUs is how many processors it may use, with the limits of its control group.
	CPUs int
	// Memory is the machine's, in bytes; 0 where it is not known.
	Memory uint64
	// Limit is from where on the kernel holds the process back (MemoryHigh= of its
	// unit) or ends it (MemoryMax=), whichever is lower, in bytes; 0 for nowhere.
	Limit uint64
}

// Here returns the size of this machine.
func Here() Size { return read(os.DirFS("/"), runtime.GOMAXPROCS(0)) }

func read(fsys fs.FS, cpus int) Size {
	s := Size{CPUs: cpus, Memory: memTotal(fsys)}
	for _, file := range []string{"memory.high", "memory.max"} {
		if limit, ok := ControlGroupLimit(fsys, file); ok && (s.Limit == 0 || limit < s.Limit) {
			s.Limit = limit
		}
	}
	return s
}

// memTotal reads the machine's memory (proc_meminfo(5)).
func memTotal(fsys fs.FS) uint64 {
	data, err := fs.ReadFile(fsys, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseUint(fields[1], 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// Usable is the memory of the machine, or what is left of it to this process.
func (s Size) Usable() uint64 {
	if s.Limit > 0 && (s.Memory == 0 || s.Limit < s.Memory) {
		return s.Limit
	}
	return s.Memory
}

// What of a limit is not for Go's heap and stacks: the binary that is mapped, of
// which about 130 MB are in use, etcd's database, which is mapped too, and what the
// kernel holds for the process; and what a limit of Go's is at least, which is less
// than an idle control plane has alive.
const (
	besideGo = 160 << 20
	leastGo  = 256 << 20
)

// GoLimit returns Go's memory limit (GOMEMLIMIT) within so many bytes that the kernel
// allows: a tenth less, and no more than leaves room for what is not Go's.
func GoLimit(allowed uint64) int64 {
	reserved := max(allowed/10, besideGo)
	if allowed < reserved+leastGo {
		return leastGo
	}
	return int64(allowed - reserved)
}
