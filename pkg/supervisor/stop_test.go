// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
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
