// SPDX-License-Identifier: Apache-2.0

// Package process starts programs for tests and benchmarks, watches over them
// and ends them: each with a log file, none outliving the one who started it.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// Spec says what to start.
type Spec struct {
	// Path is the program, and the name that it is started under.
	Path string
	// Args follow the name.
	Args []string
	// Env is added to this process's own environment.
	Env []string
	// Log is the file that takes both outputs; it is appended to.
	Log string
}

// Process is a program that was started.
type Process struct {
	// Log is the file with its output.
	Log string
	// Started is when it was started.
	Started time.Time

	cmd    *exec.Cmd
	exited chan struct{}
}

// Whoever runs the scenarios under nohup has SIGHUP ignored, and would hand that on to
// all that they start: here it is caught, which a process does not inherit.
func init() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}

// Start starts a program. The kernel kills it when the starter dies.
func Start(s Spec) (*Process, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &Process{Log: s.Log, Started: time.Now(), cmd: cmd, exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		// The exit code is read from the process's state.
		_ = cmd.Wait()
	}()
	return p, nil
}

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Descendant returns the id of a process that it started, or of one that that one
// started, and so on for so many generations: the first of each.
func (p *Process) Descendant(generations int) (int, error) {
	pid := p.PID()
	for range generations {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			return 0, err
		}
		if _, err := fmt.Sscan(string(data), &pid); err != nil {
			return 0, fmt.Errorf("process %d has started none", pid)
		}
	}
	return pid, nil
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Running reports whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// ExitCode waits for the end and returns the exit code, or -1 after a signal.
func (p *Process) ExitCode() int {
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// CPU waits for the end and returns the CPU time that the process has used.
func (p *Process) CPU() time.Duration {
	<-p.exited
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Stop asks the process to end with SIGTERM and returns its exit code, or an
// error when it takes longer than patience.
func (p *Process) Stop(patience time.Duration) (int, error) {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	select {
	case <-p.exited:
		return p.ExitCode(), nil
	case <-time.After(patience):
		return 0, fmt.Errorf("process %d still runs %s after SIGTERM", p.PID(), patience)
	}
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	// A process that has ended already is what is wanted.
	_ = p.Signal(syscall.SIGKILL)
	<-p.exited
}
