// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// draining is a Runner that drains until it is let go.
type draining struct {
	Runner
	drain func(ctx context.Context)
}

func (d draining) Drain(ctx context.Context) { d.drain(ctx) }

// TestAComponentDrainsWhileWhatNeedsItStops has a server drain for longer than what
// needs it takes to stop.
func TestAComponentDrainsWhileWhatNeedsItStops(t *testing.T) {
	j := newJournal()
	letGo := make(chan struct{})
	s := newSupervisor(t,
		Component{Name: "apiserver", Runner: draining{untilDone(j, "apiserver"), func(context.Context) {
			j.add("drain apiserver")
			<-letGo
			j.add("drained apiserver")
		}}},
		Component{Name: "scheduler", Needs: []string{"apiserver"}, Runner: untilDone(j, "scheduler")},
	)
	stop := startIt(t, s)
	j.await(t, "start scheduler")
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	j.await(t, "stop scheduler")
	j.await(t, "drain apiserver")
	if state := s.Statuses()[0].State; state != Running {
		t.Errorf("while it drains it is %s", state)
	}
	close(letGo)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	got := j.list()
	if end := got[len(got)-2:]; !slices.Equal(end, []string{"drained apiserver", "stop apiserver"}) {
		t.Errorf("it ended with %q", end)
	}
}

func TestADrainEndsWithItsComponent(t *testing.T) {
	for name, drain := range map[string]func(context.Context){
		"that fails":  func(ctx context.Context) { <-ctx.Done() },
		"that panics": func(context.Context) { panic("a fault of the test's") },
	} {
		t.Run(name, func(t *testing.T) {
			j := newJournal()
			fail := make(chan struct{})
			s := newSupervisor(t, Component{Name: "apiserver", Critical: true, Runner: draining{runnerFunc(func(ctx context.Context, report Report) error {
				report(Running, "")
				j.add("start")
				select {
				case <-fail:
					return errors.New("out of memory")
				case <-ctx.Done():
					return nil
				}
			}), func(ctx context.Context) {
				if name == "that fails" {
					close(fail)
				}
				drain(ctx)
			}}})
			stop := startIt(t, s)
			j.await(t, "start")
			// The stop was under way: how the component ended is no reason any more.
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
