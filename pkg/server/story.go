// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// logEvents writes each event as one log line.
func logEvents(e supervisor.Event) {
	kv := []any{"component", e.Component}
	if e.Detail != "" {
		kv = append(kv, "detail", e.Detail)
	}
	switch {
	case e.State == supervisor.Failed || e.State == supervisor.Restarting:
		klog.ErrorS(nil, "Component is "+string(e.State), kv...)
	case e.State != e.Before.State || e.Detail != e.Before.Detail:
		klog.InfoS("Component is "+string(e.State), kv...)
	case e.Unhealthy != "":
		klog.ErrorS(nil, "Component does not work", append(kv, "reason", e.Unhealthy)...)
	case e.Before.Unhealthy != "":
		klog.InfoS("Component works again", kv...)
	}
}

// story tells the service manager how the whole is doing.
type story struct {
	notify notify.Notifier

	mu       sync.Mutex
	statuses []supervisor.Status
	problems []string // beyond the components' own
	warnings []string
	ready    bool
	stopping bool
}

// summary is the status line; s.mu is held.
func (s *story) summary() string {
	_, line := status.Summarize(s.statuses, s.problems, s.warnings)
	return line
}

// words are how the whole is doing, in one word and in the status line.
func (s *story) words() (status.Health, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	word, line := status.Summarize(s.statuses, s.problems, s.warnings)
	if s.stopping {
		return status.Stopping, stopping(line)
	}
	return word, line
}

// onFindings takes what was found beyond the components' states.
func (s *story) onFindings(problems, warnings []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.problems, problems) && slices.Equal(s.warnings, warnings) {
		return
	}
	s.problems, s.warnings = problems, warnings
	if !s.stopping {
		s.notify.Status(s.summary())
	}
}

func (s *story) onEvent(e supervisor.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.statuses, func(st supervisor.Status) bool { return st.Component == e.Component })
	s.statuses[i] = e.Status
	summary := s.summary()
	switch {
	case s.stopping || e.State == supervisor.Stopping:
		s.stopping = true
		s.notify.Stopping(stopping(summary))
	case !s.ready && allUp(s.statuses):
		s.ready = true
		klog.InfoS("The control plane is ready")
		s.notify.Ready(summary)
	default:
		s.notify.Status(summary)
	}
}

// beginStop tells everybody that a stop has begun, and gives load balancers the
// delay to notice.
func (s *story) beginStop(delay time.Duration) {
	s.mu.Lock()
	s.stopping = true
	s.notify.Stopping(stopping(s.summary()))
	s.mu.Unlock()
	if delay > 0 {
		klog.InfoS("Stopping; health checks say no, and everything is still served", "for", delay)
		time.Sleep(delay)
	}
}

// reloading tells the service manager about f, which reads the configuration
// again. Before the service is ready and once it stops there is nothing to tell:
// the word that ends a reload is the one that ends a start.
func (s *story) reloading(f func()) {
	s.mu.Lock()
	tell := s.ready && !s.stopping
	if tell {
		s.notify.Reloading()
	}
	s.mu.Unlock()
	f()
	s.mu.Lock()
	defer s.mu.Unlock()
	if tell && !s.stopping {
		s.notify.Ready(s.summary())
	}
}

// stopping is a summary once a stop has begun, whether any component has
// noticed yet or not.
func stopping(summary string) string {
	_, components, _ := strings.Cut(summary, ": ")
	return "stopping: " + components
}

// held is the health proxy's reason to say no without asking.
func (s *story) held() healthz.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return healthz.Stopping
	}
	for _, st := range s.statuses {
		if st.Component == string(lab.APIServer) && !st.State.Up() {
			return healthz.Starting
		}
	}
	return ""
}

func (s *story) isReady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready || s.stopping
}

// allUp says whether the control plane can be used.
func allUp(statuses []supervisor.Status) bool {
	for _, s := range statuses {
		if !s.State.Up() && !s.Accessory {
			return false
		}
	}
	return true
}

// Pace of asking for more time.
const (
	extendEvery = 10 * time.Second
	extendBy    = 30 * time.Second
)

// extendWhileWorking asks the service manager for more time while the start
// makes progress, which it does as long as the process computes or uses its
// disk: replaying a long log does, a deadlock does not.
func (s *story) extendWhileWorking(ctx context.Context) {
	tick := time.NewTicker(extendEvery)
	defer tick.Stop()
	before := work()
	for !s.isReady() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := work(); now > before {
			before = now
			s.notify.ExtendTimeout(extendBy)
		}
	}
}

// work counts what the process has done so far, in tens of milliseconds of CPU
// time and blocks of disk.
func work() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		klog.ErrorS(fmt.Errorf("getrusage: %w", err), "Progress cannot be measured")
		return 0
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return int64(cpu/(100*time.Millisecond)) + u.Inblock + u.Oublock
}
