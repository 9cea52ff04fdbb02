// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// atOnce is the backoff of tests.
var atOnce = wait.Backoff{Duration: time.Millisecond, Factor: 1, Steps: 1000}

// nthRun is a Runner that is told which run of it this is.
func nthRun(run func(n int, ctx context.Context, report Report) error) Runner {
	n := 0
	return runnerFunc(func(ctx context.Context, report Report) error {
		n++
		return run(n, ctx, report)
	})
}

func TestWithRestartRunsAgainAndCounts(t *testing.T) {
	j := newJournal()
	s, stop := start(t, Component{Name: "scheduler", Runner: WithRestart(nthRun(func(n int, ctx context.Context, report Report) error {
		if n < 3 {
			return fmt.Errorf("lost %d", n)
		}
		return untilDone(j, "scheduler").Run(ctx, report)
	}), atOnce)})
	j.await(t, "start scheduler")
	st := s.Statuses()[0]
	if st.Restarts != 2 || st.LastFailure != "lost 2" || !st.State.Up() && st.State != Starting {
		t.Errorf("got %+v", st)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestFaultEndsTheRunOnly(t *testing.T) {
	j := newJournal()
	s, stop := start(t, Component{Name: "scheduler", Runner: WithRestart(nthRun(func(n int, ctx context.Context, report Report) error {
		return untilDone(j, fmt.Sprint("run ", n)).Run(ctx, report)
	}), atOnce)})
	j.await(t, "start run 1")
	if !s.Fault("scheduler", errors.New("panic: index out of range")) {
		t.Fatal("it was not taken")
	}
	j.await(t, "start run 2")
	if st := s.Statuses()[0]; st.LastFailure != "panic: index out of range" || st.Restarts != 1 {
		t.Errorf("got %+v", st)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// overhearing calls onReport after each report of the Runner that it wraps.
type overhearing struct {
	Runner
	onReport func(State)
}

func (o overhearing) Unwrap() Runner { return o.Runner }

func (o overhearing) Run(ctx context.Context, report Report) error {
	return o.Runner.Run(ctx, func(state State, detail string) {
		report(state, detail)
		o.onReport(state)
	})
}

func TestFaultsBetweenTwoRunsAreAbsorbed(t *testing.T) {
	j := newJournal()
	var s *Supervisor
	s = newSupervisor(t, Component{Name: "scheduler", Runner: overhearing{
		Runner: WithRestart(nthRun(func(n int, ctx context.Context, report Report) error {
			if n == 1 {
				return errors.New("first failure")
			}
			return untilDone(j, fmt.Sprint("run ", n)).Run(ctx, report)
		}), atOnce),
		onReport: func(state State) {
			if state != Restarting {
				return
			}
			for range 2 {
				if !s.Fault("scheduler", errors.New("second failure")) {
					j.add("refused")
				}
			}
		},
	}})
	s.Subscribe(func(e Event) { j.add("%s", e.State) })
	stop := startIt(t, s)
	j.await(t, "start run 2")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if st := s.Statuses()[0]; st.Restarts != 1 || st.LastFailure != "first failure" || st.State != Stopped {
		t.Errorf("got %+v; %q", st, j.list())
	}
}

func TestTwoFaultsOfOneRunAreOneRestart(t *testing.T) {
	j := newJournal()
	letGo := make(chan struct{})
	s, stop := start(t, Component{Name: "scheduler", Runner: WithRestart(nthRun(func(n int, ctx context.Context, report Report) error {
		err := untilDone(j, fmt.Sprint("run ", n)).Run(ctx, report)
		<-letGo
		return err
	}), atOnce)})
	j.await(t, "start run 1")
	for _, reason := range []string{"first", "second"} {
		if !s.Fault("scheduler", errors.New(reason)) {
			t.Errorf("the %s was not taken", reason)
		}
		j.await(t, "stop run 1") // it has noticed, and has not stopped
	}
	close(letGo)
	j.await(t, "start run 2")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if st := s.Statuses()[0]; st.Restarts != 1 || st.LastFailure != "first" {
		t.Errorf("got %+v", st)
	}
}

func TestFaultIsOnlyForWhatCanBeRestarted(t *testing.T) {
	j := newJournal()
	s, stop := start(t,
		Component{Name: "apiserver", Runner: untilDone(j, "apiserver")},
		Component{Name: "never up", Runner: runnerFunc(func(ctx context.Context, _ Report) error { <-ctx.Done(); return nil })},
		Component{Name: "waits", Needs: []string{"never up"}, Runner: WithRestart(untilDone(j, "waits"), atOnce)},
	)
	j.await(t, "start apiserver")
	for component, want := range map[string]bool{"apiserver": false, "unknown": false, "": false, "waits": true} {
		if got := s.Fault(component, errors.New("x")); got != want {
			t.Errorf("%q: got %v, want %v", component, got, want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if st := s.Statuses()[0]; st.State != Stopped || st.LastFailure != "" {
		t.Errorf("a refused fault did something: %+v", st)
	}
}

func TestAFaultAbandonsARunThatHangs(t *testing.T) {
	j := newJournal()
	letGo := make(chan struct{})
	runner := WithRestart(nthRun(func(n int, ctx context.Context, report Report) error {
		if n > 1 {
			return untilDone(j, "run 2").Run(ctx, report)
		}
		j.add("start run 1")
		<-letGo
		report(Leading, "out of the past")
		j.add("end run 1")
		return nil
	}), atOnce)
	runner.(*restarting).stopTimeout = quick.stop
	s, stop := start(t, Component{Name: "scheduler", Runner: runner})
	j.await(t, "start run 1")
	s.Fault("scheduler", errors.New("panic: index out of range"))
	j.await(t, "start run 2")
	close(letGo)
	j.await(t, "end run 1")
	st := s.Statuses()[0]
	if want := "panic: index out of range; it did not stop within 10ms and was abandoned"; st.LastFailure != want {
		t.Errorf("got %q, want %q", st.LastFailure, want)
	}
	if st.State == Leading || st.Restarts != 1 {
		t.Errorf("got %+v", st)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTheFailureIsToldWithThePause(t *testing.T) {
	tests := map[string]struct {
		resetAfter time.Duration
		want       []string
	}{
		"after short runs": {time.Hour, []string{
			"restarting: ended by itself; runs again in 1ms", "starting: ", "restarting: ended by itself; runs again in 2ms", "starting: ",
		}},
		"after long runs": {0, []string{
			"restarting: ended by itself; runs again in 1ms", "starting: ", "restarting: ended by itself; runs again in 1ms", "starting: ",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			var late Report
			ctx, cancel := context.WithCancel(t.Context())
			r := WithRestart(nthRun(func(n int, _ context.Context, report Report) error {
				late = report
				if n == 3 {
					cancel()
				}
				return nil
			}), wait.Backoff{Duration: time.Millisecond, Factor: 2, Steps: 10})
			r.(*restarting).resetAfter = test.resetAfter
			err := r.Run(ctx, func(state State, detail string) {
				got = append(got, fmt.Sprintf("%s: %s", state, detail))
				if state == Restarting {
					late(Leading, "of a run that has ended")
				}
			})
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %v and %q, want %q", err, got, test.want)
			}
		})
	}
}
