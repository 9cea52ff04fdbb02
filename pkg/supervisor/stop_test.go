// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestLateReportsAfterAStopAreDropped(t *testing.T) {
	j := newJournal()
	var late Report
	s := newSupervisor(t, Component{Name: "scheduler", Runner: runnerFunc(func(ctx context.Context, report Report) error {
		late = report
		report(Leading, "")
		j.add("leads")
		<-ctx.Done()
		report(Standby, "while it stops")
		return nil
	})})
	s.Subscribe(func(e Event) { j.add("%s", e.State) })
	stop := startIt(t, s)
	j.await(t, "leads")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	late(Standby, "after it has stopped")
	if st := s.Statuses()[0]; st.State != Stopped || st.Detail != "" {
		t.Errorf("got %+v", st)
	}
	want := []string{"starting", "leading", "stopping", "stopped"}
	got := slices.DeleteFunc(j.list(), func(e string) bool { return e == "leads" })
	if !slices.Equal(got, want) {
		t.Errorf("the states were %q, want %q", got, want)
	}
}

func TestAComponentThatHangsDoesNotHoldUpTheStopOfTheOthers(t *testing.T) {
	j := newJournal()
	letGo := make(chan struct{})
	defer close(letGo)
	s := newSupervisor(t,
		Component{Name: "etcd", Runner: untilDone(j, "etcd")},
		Component{Name: "apiserver", Critical: true, Needs: []string{"etcd"}, Runner: runnerFunc(func(_ context.Context, report Report) error {
			report(Running, "")
			j.add("start apiserver")
			<-letGo
			return nil
		})},
	)
	s.timings = quick
	stop := startIt(t, s)
	j.await(t, "start apiserver")
	if err := stop(); err != nil {
		t.Errorf("a stop that was asked for failed: %v", err)
	}
	if !slices.Contains(j.list(), "stop etcd") {
		t.Error("etcd was not stopped")
	}
	if st := s.Statuses()[1]; st.State != Failed || st.Detail != "it did not stop within 10ms and was abandoned" {
		t.Errorf("got %+v", st)
	}
}

func TestWhatEndsByItselfHasFailed(t *testing.T) {
	j := newJournal()
	var sick failure
	sick.set(errors.New("/readyz fails"))
	end := make(chan struct{})
	s := newSupervisor(t,
		Component{Name: "ends", Runner: probed{ready: fine, healthy: sick.get, Runner: runnerFunc(func(context.Context, Report) error {
			<-end
			return nil
		})}},
		Component{Name: "stays", Runner: silent},
		Component{Name: "never up", Runner: runnerFunc(func(context.Context, Report) error { return errors.New("disk full") })},
		Component{Name: "needs it", Needs: []string{"never up"}, Runner: untilDone(j, "needs it")},
	)
	s.timings = quick
	created := s.Statuses()[0].Since
	s.Subscribe(func(e Event) {
		j.add("%s is %s (%s)", e.Component, e.State, e.Detail)
		if e.Unhealthy != "" {
			j.add("%s does not work: %s", e.Component, e.Unhealthy)
		}
	})
	stop := startIt(t, s)
	j.await(t, "ends does not work: /readyz fails")
	close(end)
	j.await(t, "ends is failed (ended by itself)")
	j.await(t, "never up is failed (disk full)")
	j.await(t, "needs it is stopped (was not started)")
	st := s.Statuses()[0]
	if st.LastFailure != "ended by itself" || st.Unhealthy != "" {
		t.Errorf("got %+v", st)
	}
	if !st.Since.After(created) {
		t.Errorf("failed since %s, as before it was started (%s)", st.Since, created)
	}
	if s.Stopping() {
		t.Error("a component that is not critical stopped all")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !s.Stopping() {
		t.Error("no stop has begun")
	}
}
