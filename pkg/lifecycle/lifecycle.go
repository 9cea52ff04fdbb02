// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Lifecycle is how the whole is doing: starting, ready, reloading or stopping, as
// the service manager is told. The service manager's socket is written by the
// outbox, so that one that does not read it stalls nothing.
type Lifecycle struct {
	notify    notify.Notifier
	readiness *Readiness
	outbox    *outbox

	mu       sync.Mutex
	statuses []supervisor.Status
	port     string   // what is wrong with the health port's answers
	problems []string // beyond the components' own and the port's
	warnings []string
	ready    bool
	stopping bool
	waitsFor string // what the stop waits for, and how long, or ""
}

// New returns the lifecycle of components with these statuses. It has to
// be closed.
func New(n notify.Notifier, statuses []supervisor.Status, r *Readiness) *Lifecycle {
	return &Lifecycle{notify: n, readiness: r, outbox: newOutbox(), statuses: slices.Clone(statuses)}
}

// Close ends the telling, once all has been told.
func (l *Lifecycle) Close() { l.outbox.close() }

// Status returns how the whole is doing, in one word and in the status line.
func (l *Lifecycle) Status() (status.Health, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.summarize()
}

// summarize is Status for who has l.mu.
func (l *Lifecycle) summarize() (status.Health, string) {
	health, line := status.Summarize(l.statuses, slices.Concat(l.portProblems(), l.problems), l.warnings)
	if l.stopping {
		// Whether any component has noticed yet or not.
		_, components, _ := strings.Cut(line, ": ")
		if l.waitsFor != "" {
			components = l.waitsFor + "; " + components
		}
		return status.Stopping, string(status.Stopping) + ": " + components
	}
	return health, line
}

// portProblems is what is wrong with the health port, as a list; l.mu is held.
func (l *Lifecycle) portProblems() []string {
	if l.port == "" {
		return nil
	}
	return []string{l.port}
}

// HealthPortProblems lists what is wrong with the health port's answers.
func (l *Lifecycle) HealthPortProblems() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.portProblems()
}

// OnHealthPort takes what is wrong with the health port's answers, or "".
func (l *Lifecycle) OnHealthPort(problem string) {
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

// OnFindings takes what was found beyond the components' statuses.
func (l *Lifecycle) OnFindings(problems, warnings []string) {
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

// OnEvent takes a change of a component.
func (l *Lifecycle) OnEvent(e supervisor.Event) {
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

// stopRoom is how long a stop takes beside its wait, at most: three stages of 20 s
// each.
const stopRoom = 80 * time.Second

// BeginStop tells everybody that a stop has begun. begin is called once health checks
// say so, and returns what the stop waits for, and how long.
func (l *Lifecycle) BeginStop(begin func() (waitsFor string, delay time.Duration)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setStopping()
	waitsFor, delay := begin()
	l.waitsFor = waitsFor
	l.tell(l.notify.Stopping)
	if delay > 0 {
		l.outbox.put(func() { l.notify.ExtendTimeout(delay + stopRoom) })
	}
}

// EndWait tells that the stop waits no more.
func (l *Lifecycle) EndWait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waitsFor = ""
	l.tell(l.notify.Stopping)
}

// WaitsFor returns what the stop waits for, and how long, or "".
func (l *Lifecycle) WaitsFor() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waitsFor
}

// Reloading tells the service manager about f, which reads the configuration
// again. Before the service is ready and once it stops there is nothing to tell:
// the word that ends a reload is the one that ends a start.
func (l *Lifecycle) Reloading(f func()) {
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

// ExtendStart asks the service manager for more time while the start makes
// progress, until it is over or ctx ends. A start that waits makes progress with
// each of its checks.
func (l *Lifecycle) ExtendStart(ctx context.Context, checks func() int64) {
	work := func() int64 { return workDone() + checks() }
	(&startTimeout{started: l.isReady, work: work, extend: l.notify.ExtendTimeout}).run(ctx, extendEvery)
}

// isReady reports whether the start is over: all is up, or a stop has begun.
func (l *Lifecycle) isReady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready || l.stopping
}

func (l *Lifecycle) setStopping() {
	l.stopping = true
	l.readiness.stop()
}

// tell has the status line sent; l.mu is held.
func (l *Lifecycle) tell(send func(statusLine string)) {
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
