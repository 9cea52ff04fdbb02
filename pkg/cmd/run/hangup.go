// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// hangups returns the channel on which the requests for a reload arrive: a SIGHUP,
// with a service manager or without one. When it says that the terminal has
// closed which the process was started from, end is called instead, as by Ctrl-C.
// A SIGHUP that is ignored at the start, as nohup has it, stays ignored.
func hangups(ctx context.Context, end func()) <-chan os.Signal {
	requested := make(chan os.Signal, 1)
	if signal.Ignored(syscall.SIGHUP) {
		return requested
	}
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGHUP)
	if !hasTerminal() {
		return received
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-received:
				if loseTerminal() {
					klog.InfoS("The terminal has closed; ending in order (under nohup, or as a service, it goes on)")
					end()
					return
				}
				select {
				case requested <- s:
				default: // one is requested already
				}
			}
		}
	}()
	return requested
}

// hasTerminal reports whether the process has a controlling terminal.
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // ENXIO where there is none, EIO where it has closed
	}
	unix.Close(fd)
	return true
}

// The kernel takes the terminal away only after its signal, when the shell ends
// that held it.
const (
	loseWithin = 250 * time.Millisecond
	loseEvery  = 10 * time.Millisecond
)

// loseTerminal reports whether the terminal is gone, or goes shortly.
func loseTerminal() bool {
	for deadline := time.Now().Add(loseWithin); hasTerminal(); time.Sleep(loseEvery) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// outliveReaders has the process go on when nobody reads what it prints any more
// (`run 2>&1 | head`, a journal that was restarted): a lost line is no reason to
// end etcd in the middle. Programs that it starts get the signal as before.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
