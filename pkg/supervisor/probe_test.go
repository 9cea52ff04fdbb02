// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// probed is a Runner with both optional interfaces.
type probed struct {
	Runner
	ready, healthy func() error
}

func (p probed) Ready(context.Context) error   { return p.ready() }
func (p probed) Healthy(context.Context) error { return p.healthy() }

func fine() error { return nil }

// silent is a Runner that reports nothing.
var silent = runnerFunc(func(ctx context.Context, _ Report) error { <-ctx.Done(); return nil })

// failure is an error that comes and goes.
type failure struct{ err atomic.Pointer[error] }

func (f *failure) set(err error) { f.err.Store(&err) }
func (f *failure) get() error    { return *f.err.Load() }

func TestAStartThatLastsTellsForWhat(t *testing.T) {
	p := probed{Runner: silent, healthy: fine, ready: func() error { return errors.New("/readyz fails: etcd") }}
	s := newSupervisor(t, Component{Name: "apiserver", Runner: p})
	s.timings.explain = 0
	told := make(chan string, 1)
	s.Subscribe(func(e Event) {
		if e.State == Starting && e.Detail != "" {
			select {
			case told <- e.Detail:
			default:
			}
		}
	})
	stop := startIt(t, s)
	if got := <-told; got != "/readyz fails: etcd" {
		t.Errorf("told %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestReadinessHoldsBackWhatNeedsIt(t *testing.T) {
	j := newJournal()
	var notReady failure
	notReady.set(errors.New("not yet"))
	asked := make(chan struct{}, 1)
	p := probed{Runner: silent, healthy: fine, ready: func() error {
		select {
		case asked <- struct{}{}:
		default:
		}
		return notReady.get()
	}}
	s, stop := start(t,
		Component{Name: "apiserver", Runner: WithRestart(p, DefaultBackoff)},
		Component{Name: "scheduler", Needs: []string{"apiserver"}, Runner: untilDone(j, "scheduler")},
	)
	for range 2 { // the second question shows that the first answer was taken
		<-asked
	}
	if got := s.Statuses()[1]; got.State != Waiting || got.Detail != "for apiserver" {
		t.Errorf("before the apiserver is ready: %+v", got)
	}
	notReady.set(nil)
	j.await(t, "start scheduler")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAComponentThatWasRunAgainIsAskedAgain(t *testing.T) {
	j := newJournal()
	runner := nthRun(func(n int, ctx context.Context, report Report) error {
		j.add("start run %d", n)
		return silent.Run(ctx, report)
	})
	s := newSupervisor(t, Component{Name: "apiserver", Runner: WithRestart(probed{Runner: runner, ready: fine, healthy: fine}, atOnce)})
	s.timings = quick
	s.Subscribe(func(e Event) {
		if e.State == Running && e.Before.State == Starting {
			j.add("run %d is ready", e.Restarts+1)
		}
	})
	stop := startIt(t, s)
	j.await(t, "start run 1")
	j.await(t, "run 1 is ready")
	s.Fault("apiserver", errors.New("panic: index out of range"))
	j.await(t, "run 2 is ready")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAPausedComponentIsNotBelieved(t *testing.T) {
	s := newSupervisor(t, Component{Name: "apiserver", Runner: silent})
	s.tracker.set("apiserver", Restarting, "ended by itself")
	s.awaitReady(t.Context(), "apiserver", probed{ready: func() error {
		t.Error("it was asked")
		return nil
	}})
	s.checkHealth(t.Context(), "apiserver", probed{healthy: func() error { return errors.New("connection refused") }})
	if got := s.Statuses()[0]; got.State != Restarting || got.Unhealthy != "" {
		t.Errorf("got %+v", got)
	}
	s.tracker.set("apiserver", Starting, "")
	s.awaitReady(t.Context(), "apiserver", probed{ready: func() error {
		s.tracker.set("apiserver", Restarting, "ended while it was asked")
		return nil
	}})
	if got := s.Statuses()[0].State; got != Restarting {
		t.Errorf("it is %s", got)
	}
}

// mute is a Runner that never answers.
type mute struct{ Runner }

func (mute) Healthy(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestNoAnswerInTimeIsNotHealthy(t *testing.T) {
	j := newJournal()
	s := newSupervisor(t, Component{Name: "bootstrap", Runner: mute{untilDone(j, "bootstrap")}})
	s.timings = quick
	s.timings.probe = time.Millisecond
	s.Subscribe(func(e Event) { j.add("%s", e.Unhealthy) })
	stop := startIt(t, s)
	j.await(t, context.DeadlineExceeded.Error())
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestHealthComesAndGoes(t *testing.T) {
	j := newJournal()
	var sick failure
	sick.set(nil)
	s := newSupervisor(t, Component{Name: "bootstrap", Runner: probed{Runner: silent, ready: fine, healthy: sick.get}})
	s.timings = quick
	s.Subscribe(func(e Event) { j.add("%s %q", e.State, e.Unhealthy) })
	stop := startIt(t, s)
	j.await(t, `running ""`)
	sick.set(errors.New("one object is not applied"))
	j.await(t, `running "one object is not applied"`)
	sick.set(nil)
	for s.Statuses()[0].Unhealthy != "" {
		<-j.changed
	}
	sick.set(errors.New("again"))
	j.await(t, `running "again"`)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if st := s.Statuses()[0]; st.Unhealthy != "" {
		t.Errorf("stopped and unhealthy: %+v", st)
	}
}
