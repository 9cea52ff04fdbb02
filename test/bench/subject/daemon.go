// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// restartAfter is when a daemon that has ended is started again.
const restartAfter = time.Second

// daemon is a process that is kept running, as systemd would.
type daemon struct {
	spec process.Spec

	mu      sync.Mutex
	process *process.Process
	former  time.Duration // CPU time of those that have ended before
	stopped bool
}

func startDaemon(spec process.Spec) (*daemon, error) {
	p, err := process.Start(spec)
	if err != nil {
		return nil, err
	}
	d := &daemon{spec: spec, process: p}
	go d.keep()
	return d, nil
}

func (d *daemon) current() *process.Process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.process
}

// end marks the daemon as one that is not started again, and returns its process.
func (d *daemon) end() *process.Process {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	return d.process
}

func (d *daemon) stop() error { return stop(filepath.Base(d.spec.Path), d.end()) }
func (d *daemon) kill()       { d.end().Kill() }

// keep starts the daemon again whenever it has ended by itself.
func (d *daemon) keep() {
	for {
		<-d.current().Exited()
		time.Sleep(restartAfter)
		if !d.restart() {
			return
		}
	}
}

// restart reports whether there is anything left to keep. A run fails for want of a
// daemon that cannot be started.
func (d *daemon) restart() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return false
	}
	p, err := process.Start(d.spec)
	if err != nil {
		return false
	}
	d.former += d.process.CPU()
	d.process = p
	return true
}

// cpuSeconds is what the daemon has used, all its processes together.
func (d *daemon) cpuSeconds() (float64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.process.Running() {
		return (d.former + d.process.CPU()).Seconds(), nil
	}
	used, err := CPUSeconds([]int{d.process.PID()})
	return d.former.Seconds() + used, err
}
