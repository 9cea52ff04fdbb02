// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestAStuckSubscriberHoldsUpNobody(t *testing.T) {
	j := newJournal()
	letGo := make(chan struct{})
	defer close(letGo)
	s := newSupervisor(t,
		Component{Name: "etcd", Runner: untilDone(j, "etcd")},
		Component{Name: "apiserver", Needs: []string{"etcd"}, Runner: untilDone(j, "apiserver")},
	)
	s.timings.delivery = quick.delivery
	stuck := make(chan struct{}, 100)
	s.Subscribe(func(Event) { stuck <- struct{}{}; <-letGo })
	s.Subscribe(func(e Event) {
		if len(s.Statuses()) == 2 {
			j.add("%s is %s", e.Component, e.State)
		}
	})
	stop := startIt(t, s)
	<-stuck
	j.await(t, "start apiserver")
	j.await(t, "apiserver is running")
	if got := s.Statuses()[0].State; got != Running {
		t.Errorf("etcd is %s", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !slices.Contains(j.list(), "etcd is stopped") {
		t.Errorf("another subscriber missed the end: %q", j.list())
	}
	if len(stuck) > 0 {
		t.Error("a subscriber was called while it was busy")
	}
}

func TestRunReturnsAfterASlowSubscriberHasEverything(t *testing.T) {
	j := newJournal()
	s := newSupervisor(t, Component{Name: "etcd", Runner: untilDone(j, "etcd")})
	s.timings.delivery = time.Minute
	var got []State
	s.Subscribe(func(e Event) {
		time.Sleep(5 * time.Millisecond) // this one is slow
		got = append(got, e.State)
	})
	stop := startIt(t, s)
	j.await(t, "start etcd")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if want := []State{Starting, Running, Stopping, Stopped}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEventsComeInOrderToEverySubscriber(t *testing.T) {
	const components, changes, subscribers = 8, 200, 3
	var all []Component
	var reported sync.WaitGroup
	reported.Add(components)
	for i := range components {
		all = append(all, Component{Name: fmt.Sprint(i), Runner: runnerFunc(func(ctx context.Context, report Report) error {
			for n := range changes {
				report(Running, fmt.Sprint(n))
			}
			reported.Done()
			<-ctx.Done()
			return nil
		})})
	}
	s := newSupervisor(t, all...)
	var got [subscribers][]Event
	for i := range got {
		s.Subscribe(func(e Event) { got[i] = append(got[i], e) })
	}
	stop := startIt(t, s)
	reported.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	last := map[string]Status{}
	for _, e := range got[0] {
		if before, seen := last[e.Component]; seen && e.Before != before {
			t.Fatalf("after %+v came %+v", before, e)
		}
		last[e.Component] = e.Status
	}
	for i := range got {
		if want := components * (changes + 3); len(got[i]) != want { // starting, stopping, stopped
			t.Errorf("%d events, want %d", len(got[i]), want)
		}
		if !slices.Equal(got[i], got[0]) {
			t.Errorf("subscriber %d saw another order", i)
		}
	}
}
