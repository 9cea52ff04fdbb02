// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// lifecycle is how the whole is doing: starting, ready, reloading or stopping, as
// the service manager is told. The service manager's socket is written by the
// outbox, so that one that does not read it stalls nothing.
type lifecycle struct {
	notify    notify.Notifier
	readiness *readiness
	outbox    *outbox

	mu       sync.Mutex
	statuses []supervisor.Status
	port     string   // what is wrong with the health port's answers
	problems []string // beyond the components' own and the port's
	warnings []string
	ready    bool
	stopping bool
}

// newLifecycle returns the lifecycle of components with these statuses. It has to
// be closed.
func newLifecycle(n notify.Notifier, statuses []supervisor.Status, r *readiness) *lifecycle {
	return &lifecycle{notify: n, readiness: r, outbox: newOutbox(), statuses: slices.Clone(statuses)}
}

// close ends the telling, once all has been told.
func (l *lifecycle) close() { l.outbox.close() }

// status returns how the whole is doing, in one word and in the status line.
func (l *lifecycle) status() (status.Health, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.summarize()
}

// summarize is status for who has l.mu.
func (l *lifecycle) summarize() (status.Health, string) {
	health, line := status.Summarize(l.statuses, slices.Concat(l.portProblems(), l.problems), l.warnings)
	if l.stopping {
		// Whether any component has noticed yet or not.
		_, components, _ := strings.Cut(line, ": ")
		return status.Stopping, string(status.Stopping) + ": " + components
	}
	return health, line
}

// portProblems is what is wrong with the health port, as a list; l.mu is held.
func (l *lifecycle) portProblems() []string {
	if l.port == "" {
		return nil
	}
	return []string{l.port}
}

// healthPortProblems lists what is wrong with the health port's answers.
func (l *lifecycle) healthPortProblems() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.portProblems()
}

// onHealthPort takes what is wrong with the health port's answers, or "".
func (l *lifecycle) onHealthPort(problem string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.port == problem {
		return
	}
	l.port = problem
	if !l.stopping {
		l.tell(l.notify.Status)
	}
}

// onFindings takes what was found beyond the components' statuses.
func (l *lifecycle) onFindings(problems, warnings []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Equal(l.problems, problems) && slices.Equal(l.warnings, warnings) {
		return
	}
	l.problems, l.warnings = problems, warnings
	if !l.stopping {
		l.tell(l.notify.Status)
	}
}

// onEvent takes a change of a component.
func (l *lifecycle) onEvent(e supervisor.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.statuses, func(s supervisor.Status) bool { return s.Component == e.Component })
	l.statuses[i] = e.Status
	switch {
	case l.stopping || e.State == supervisor.Stopping:
		l.setStopping()
		l.tell(l.notify.Stopping)
	case !l.ready && allUp(l.statuses):
		l.ready = true
		klog.InfoS("The control plane is ready")
		l.tell(l.notify.Ready)
	default:
		l.tell(l.notify.Status)
	}
}

// beginStop tells everybody that a stop has begun, and gives load balancers the
// delay to notice.
func (l *lifecycle) beginStop(delay time.Duration) {
	l.mu.Lock()
	l.setStopping()
	l.tell(l.notify.Stopping)
	l.mu.Unlock()
	if delay > 0 {
		klog.InfoS("Stopping; health checks say no, and everything is still served", "for", delay)
		time.Sleep(delay)
	}
}

// reloading tells the service manager about f, which reads the configuration
// again. Before the service is ready and once it stops there is nothing to tell:
// the word that ends a reload is the one that ends a start.
func (l *lifecycle) reloading(f func()) {
	l.mu.Lock()
	told := l.ready && !l.stopping
	if told {
		l.outbox.put(l.notify.Reloading)
	}
	l.mu.Unlock()
	f()
	l.mu.Lock()
	defer l.mu.Unlock()
	if told && !l.stopping {
		l.tell(l.notify.Ready)
	}
}

// isReady reports whether the start is over: all is up, or a stop has begun.
func (l *lifecycle) isReady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready || l.stopping
}

func (l *lifecycle) setStopping() {
	l.stopping = true
	l.readiness.stop()
}

// tell has the status line sent; l.mu is held.
func (l *lifecycle) tell(send func(statusLine string)) {
	_, line := l.summarize()
	l.outbox.put(func() { send(line) })
}

// allUp reports whether the control plane can be used.
func allUp(statuses []supervisor.Status) bool {
	for _, s := range statuses {
		if !s.State.Up() && !s.Accessory {
			return false
		}
	}
	return true
}
