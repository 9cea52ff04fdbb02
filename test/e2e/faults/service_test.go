// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// restartAfter is how long after its end a process that ended by itself is started
// again, as by the lab's units (RestartSec=5).
const restartAfter = 5 * time.Second

// service is a process on a node that is kept running, as by systemd.
type service struct {
	*trio.Node
	called string
	path   string
	args   []string
	// extra are more arguments, under is a command that it is started by, and traced
	// says that this is there as long as it is.
	extra, under []string
	traced       bool

	process *process.Process
	// stopped says that it is not to run.
	stopped bool
	// ended is when it was seen to have ended by itself, and fell how often it did.
	ended time.Time
	fell  int

	starts int
	// before is how many lines the processes before this one have logged.
	before int
}

// start starts it and returns at once.
func (v *service) start() {
	v.Helper()
	v.before = v.logged()
	v.starts++
	command := slices.Concat(v.under, []string{v.path}, v.args, v.extra)
	v.process = v.Host.Start(fmt.Sprintf("%s-%s-%d", v.Name, v.called, v.starts), process.Spec{Path: command[0], Args: command[1:]})
	v.stopped, v.ended = false, time.Time{}
}

// logged is how many lines it has logged, in all its processes.
func (v *service) logged() int {
	if v.process == nil {
		return 0
	}
	return v.before + len(v.process.Lines())
}

// pid is the id of the process itself, whatever it was started by.
func (v *service) pid() int {
	pid := v.process.PID()
	if v.traced {
		var child int
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if _, none := fmt.Sscan(string(data), &child); err == nil && none == nil {
			return child
		}
	}
	return pid
}

// signal sends one to the process itself.
func (v *service) signal(s syscall.Signal) {
	v.Helper()
	if err := syscall.Kill(v.pid(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		v.Fatal(err)
	}
}

// kill ends it at once, and for as long as it is not started again.
func (v *service) kill() {
	v.Helper()
	v.stopped = true
	v.signal(syscall.SIGKILL)
	v.awaitEnd()
}

// stop ends it in order.
func (v *service) stop() {
	v.Helper()
	v.stopped = true
	v.signal(syscall.SIGTERM)
	v.awaitEnd()
	if code := v.process.ExitCode(); code != 0 && v.called == controller && v.ended.IsZero() {
		v.Errorf("%s: %s ended with exit code %d after SIGTERM; its last line: %s", v.Name, v.called, code, v.process.Tail(1))
	}
}

// controller is what the service is called that is under test.
const controller = "khw-controller"

func (v *service) awaitEnd() {
	v.Helper()
	v.Within(2*harness.Patience, v.Name+"'s "+v.called+" to end", func(context.Context) error {
		if v.process.Running() {
			return errors.New(v.process.Tail(1))
		}
		return nil
	})
}

// tend starts it again when it has ended by itself.
func (v *service) tend() {
	v.Helper()
	switch {
	case v.process == nil || v.stopped || v.process.Running():
	case v.ended.IsZero():
		v.ended = time.Now()
		v.fell++
		v.Logf("%s %s: %s ended by itself; its last line: %s", v.ended.Format(time.TimeOnly), v.Name, v.called, v.process.Tail(1))
	case time.Since(v.ended) >= restartAfter:
		v.start()
	}
}
