// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/machine"
)

// File descriptors: a control plane that has just become ready, embedded etcd and
// all, has 222 open and had more on the way: at 256 it runs out. Each kubelet, each
// watch of another program and each connection to a webhook takes more, and
// filesComfortable serves the lab's cluster.
const (
	filesNeeded      = 320
	filesComfortable = 1024
)

// Memory, in bytes, and threads: an idle control plane of one controller takes about
// 400 MB and a dozen threads. Each call into the kernel that takes time, as a write to a
// slow disk does, takes a thread more, and Go ends the process when it cannot have one.
const (
	memoryComfortable  = 512 << 20
	threadsComfortable = 128
)

// What limits are called by operators.
const (
	openFiles  = "open files (ulimit -n)"
	memory     = "memory (MemoryMax= of the unit, or memory.max of its control group)"
	memoryHigh = "memory (MemoryHigh= of the unit, or memory.high of its control group)"
	threads    = "threads (TasksMax= of the unit, or pids.max of its control group)"
	processes  = "processes (ulimit -u)"
)

// checkLimits sees whether the process may have what it needs.
func checkLimits() []Finding {
	return slices.Concat(checkOpenFiles(), checkControlGroup(os.DirFS("/")), checkProcesses(os.Geteuid()))
}

// checkControlGroup warns of a control group in which the kernel ends the process, or
// refuses it a thread.
func checkControlGroup(fsys fs.FS) []Finding {
	var found []Finding
	if limit, ok := machine.ControlGroupLimit(fsys, "memory.max"); ok && limit < memoryComfortable {
		found = warning(memory, fmt.Sprintf("%d MB are allowed, and an idle control plane takes about 400: the kernel kills it as soon as it needs more than is allowed", limit>>20),
			"set MemoryMax=1G or more in the unit")
	}
	if limit, ok := machine.ControlGroupLimit(fsys, "memory.high"); ok && limit < memoryComfortable && len(found) == 0 {
		found = warning(memoryHigh, fmt.Sprintf("%d MB are allowed, and an idle control plane takes about 400: the kernel holds it back all the time", limit>>20),
			"set MemoryHigh=700M or more in the unit")
	}
	if limit, ok := machine.ControlGroupLimit(fsys, "pids.max"); ok && limit < threadsComfortable {
		found = append(found, warning(threads, tooFewThreads(limit), "set TasksMax=infinity in the unit")...)
	}
	return found
}

func tooFewThreads(limit uint64) string {
	return fmt.Sprintf("%d are allowed, and a control plane on a slow disk takes %d: it ends when it cannot have one more", limit, threadsComfortable)
}

// checkProcesses warns of a limit on the user's processes, of which each thread is
// one. It does not hold for root.
func checkProcesses(uid int) []Finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil || uid == 0 || limit.Cur >= threadsComfortable {
		return nil
	}
	return warning(processes, tooFewThreads(limit.Cur), "set LimitNPROC=infinity in the unit, or `ulimit -u unlimited` before the start")
}

// checkOpenFiles sees whether the process may open as many files as it needs. Go has
// raised the soft limit to the hard one.
func checkOpenFiles() []Finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return failure(openFiles, "the limit cannot be read: "+err.Error(), "allow getrlimit")
	}
	fix := fmt.Sprintf("set LimitNOFILE=%d in the unit, or `ulimit -Hn %d` as root before the start", 1<<20, 1<<20)
	switch {
	case limit.Max < filesNeeded:
		return failure(openFiles, fmt.Sprintf("%d are allowed, and a start needs %d", limit.Max, filesNeeded), fix)
	case limit.Max < filesComfortable:
		return warning(openFiles, fmt.Sprintf("%d are allowed, which is enough to start, but each kubelet and each watch takes one more; %d are enough for the lab's cluster", limit.Max, filesComfortable), fix)
	}
	return nil
}
