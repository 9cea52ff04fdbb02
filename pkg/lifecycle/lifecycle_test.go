// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// serviceManager listens at a socket as systemd does.
type serviceManager struct {
	*testing.T
	conn *net.UnixConn
}

func newServiceManager(t *testing.T) (serviceManager, notify.Notifier) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return serviceManager{t, conn}, notify.Take()
}

// next returns the next message: its state, such as READY=1, and its status line.
func (m serviceManager) next() (state, line string) {
	m.Helper()
	buf := make([]byte, 4096)
	if err := m.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		m.Fatal(err)
	}
	n, err := m.conn.Read(buf)
	if err != nil {
		m.Fatalf("no message: %v", err)
	}
	for assignment := range strings.SplitSeq(string(buf[:n]), "\n") {
		if text, ok := strings.CutPrefix(assignment, "STATUS="); ok {
			line = text
		} else if assignment != "" && !strings.HasPrefix(assignment, "MONOTONIC_USEC=") {
			state = assignment
		}
	}
	return state, line
}

func (m serviceManager) wants(state, line string) {
	m.Helper()
	if gotState, gotLine := m.next(); gotState != state || gotLine != line {
		m.Fatalf("told %q, %q, want %q, %q", gotState, gotLine, state, line)
	}
}

// life is a lifecycle of an apiserver, a scheduler and an accessory.
type life struct {
	*Lifecycle
	statuses map[string]supervisor.Status
}

func newLife(t *testing.T, n notify.Notifier) life {
	t.Helper()
	all := []supervisor.Status{
		{Component: string(lab.APIServer), State: supervisor.Waiting},
		{Component: string(lab.Scheduler), State: supervisor.Waiting},
		{Component: "bootstrap", State: supervisor.Waiting, Accessory: true},
	}
	l := life{New(n, all, new(Readiness)), map[string]supervisor.Status{}}
	t.Cleanup(l.Close)
	for _, s := range all {
		l.statuses[s.Component] = s
	}
	return l
}

// event moves a component to a state.
func (l life) event(component string, state supervisor.State) {
	before := l.statuses[component]
	after := before
	after.State = state
	l.statuses[component] = after
	e := supervisor.Event{Status: after, Before: before}
	l.readiness.OnEvent(e)
	l.OnEvent(e)
}

// atOnce is the beginning of a stop that waits for nobody.
func atOnce() (string, time.Duration) { return "", 0 }

func TestTheServiceManagerIsToldOfAWholeLife(t *testing.T) {
	m, n := newServiceManager(t)
	l := newLife(t, n)
	if got := l.readiness.NotReady(); got != healthz.Starting {
		t.Errorf("at first health checks are answered with %q", got)
	}
	l.event("kube-apiserver", supervisor.Running)
	m.wants("", "starting: kube-apiserver running, kube-scheduler waiting, bootstrap waiting")
	if got := l.readiness.NotReady(); got != "" {
		t.Errorf("with an apiserver, health checks are answered with %q", got)
	}
	if l.isReady() {
		t.Error("ready without a scheduler")
	}
	l.event("kube-scheduler", supervisor.Leading)
	m.wants("READY=1", "ready: kube-apiserver running, kube-scheduler leading, bootstrap waiting") // an accessory is not waited for
	if !l.isReady() {
		t.Error("not ready with all up")
	}
	l.event("kube-scheduler", supervisor.Restarting)
	m.wants("", "degraded: kube-apiserver running, kube-scheduler restarting, bootstrap waiting")
	l.event("kube-scheduler", supervisor.Standby)
	m.wants("", "ready: kube-apiserver running, kube-scheduler standby, bootstrap waiting") // READY is said once

	l.OnFindings([]string{"etcd: no member answers"}, []string{"ca.pem expires in 3d"})
	m.wants("", "degraded: kube-apiserver running, kube-scheduler standby, bootstrap waiting; etcd: no member answers; ca.pem expires in 3d")
	l.OnFindings([]string{"etcd: no member answers"}, []string{"ca.pem expires in 3d"}) // nothing new, nothing told
	l.OnFindings(nil, nil)
	m.wants("", "ready: kube-apiserver running, kube-scheduler standby, bootstrap waiting")

	l.OnHealthPort("health checks are answered with etcd")
	m.wants("", "degraded: kube-apiserver running, kube-scheduler standby, bootstrap waiting; health checks are answered with etcd")
	l.OnFindings([]string{"etcd: no member answers"}, nil)
	m.wants("", "degraded: kube-apiserver running, kube-scheduler standby, bootstrap waiting; health checks are answered with etcd; etcd: no member answers")
	l.OnFindings(nil, nil)
	m.wants("", "degraded: kube-apiserver running, kube-scheduler standby, bootstrap waiting; health checks are answered with etcd")
	l.OnHealthPort("health checks are answered with etcd") // nothing new, nothing told
	l.OnHealthPort("")
	m.wants("", "ready: kube-apiserver running, kube-scheduler standby, bootstrap waiting")

	l.Reloading(func() {
		m.wants("RELOADING=1", "")
		l.event("kube-scheduler", supervisor.Leading)
	})
	m.wants("", "ready: kube-apiserver running, kube-scheduler leading, bootstrap waiting")
	m.wants("READY=1", "ready: kube-apiserver running, kube-scheduler leading, bootstrap waiting")

	l.BeginStop(func() (string, time.Duration) {
		if l.readiness.NotReady() != healthz.Stopping {
			t.Error("health checks do not say no when the stop begins to wait")
		}
		return "waiting 10s for 2 health checkers to notice", 10 * time.Second
	})
	m.wants("STOPPING=1", "stopping: waiting 10s for 2 health checkers to notice; kube-apiserver running, kube-scheduler leading, bootstrap waiting")
	m.wants("EXTEND_TIMEOUT_USEC=90000000", "")
	if got := l.readiness.NotReady(); got != healthz.Stopping {
		t.Errorf("in a stop, health checks are answered with %q", got)
	}
	l.OnFindings([]string{"etcd: no member answers"}, nil) // of no interest any more
	l.Reloading(func() {})                                 // must not say READY
	l.event("kube-scheduler", supervisor.Stopped)
	m.wants("STOPPING=1", "stopping: waiting 10s for 2 health checkers to notice; kube-apiserver running, kube-scheduler stopped, bootstrap waiting; etcd: no member answers")
	l.EndWait()
	m.wants("STOPPING=1", "stopping: kube-apiserver running, kube-scheduler stopped, bootstrap waiting; etcd: no member answers")
	if health, _ := l.Status(); health != status.Stopping {
		t.Errorf("in a stop it is %s", health)
	}
}

func TestAComponentThatStopsByItselfIsAStop(t *testing.T) {
	m, n := newServiceManager(t)
	l := newLife(t, n)
	l.event("kube-apiserver", supervisor.Stopping)
	m.wants("STOPPING=1", "stopping: kube-apiserver stopping, kube-scheduler waiting, bootstrap waiting")
	if !l.isReady() || l.readiness.NotReady() != healthz.Stopping {
		t.Error("the start goes on")
	}
}

func TestAReloadDuringAStartIsNotTold(t *testing.T) {
	m, n := newServiceManager(t)
	l := newLife(t, n)
	called := false
	l.Reloading(func() { called = true })
	l.event("kube-apiserver", supervisor.Running)
	m.wants("", "starting: kube-apiserver running, kube-scheduler waiting, bootstrap waiting")
	if !called {
		t.Error("nothing was reloaded")
	}
}

// TestAServiceManagerThatDoesNotReadStallsNothing fills the socket: whoever waits
// for it would wait for good.
func TestAServiceManagerThatDoesNotReadStallsNothing(t *testing.T) {
	m, n := newServiceManager(t)
	l := newLife(t, n)
	const rounds = 3000 // far beyond what a socket holds
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			l.event("kube-scheduler", []supervisor.State{supervisor.Restarting, supervisor.Starting}[i%2])
		}
		l.event("kube-apiserver", supervisor.Running)
		l.BeginStop(atOnce)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("an event waits for the service manager")
	}
	if l.readiness.NotReady() != healthz.Stopping {
		t.Error("health checks do not know of the stop")
	}
	// In order, once it reads again.
	var states []string
	for len(states) < rounds+2 {
		_, line := m.next()
		states = append(states, line)
	}
	if i := slices.IndexFunc(states, func(s string) bool { return strings.Contains(s, "kube-apiserver running") }); i != rounds {
		t.Errorf("the last event is told as number %d, want %d", i, rounds)
	}
}

func TestAStopDuringAReloadIsTheLastWord(t *testing.T) {
	m, n := newServiceManager(t)
	l := newLife(t, n)
	l.event("kube-scheduler", supervisor.Leading)
	l.event("kube-apiserver", supervisor.Running)
	m.next()
	m.wants("READY=1", "ready: kube-apiserver running, kube-scheduler leading, bootstrap waiting")
	l.Reloading(func() { l.BeginStop(atOnce) })
	l.event("kube-scheduler", supervisor.Stopped)
	m.wants("RELOADING=1", "")
	m.wants("STOPPING=1", "stopping: kube-apiserver running, kube-scheduler leading, bootstrap waiting")
	m.wants("STOPPING=1", "stopping: kube-apiserver running, kube-scheduler stopped, bootstrap waiting")
}
