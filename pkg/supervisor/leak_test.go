// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestNothingIsLeftBehind starts and stops a supervisor whose components fail,
// hang and panic, again and again.
func TestNothingIsLeftBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for range 200 {
		letGo := make(chan struct{})
		runTroubled(t, letGo)
		close(letGo)
	}
	for deadline := time.Now().Add(20 * time.Second); goleak.Find(before) != nil && time.Now().Before(deadline); {
		continue // Find itself waits a while for goroutines to end
	}
	goleak.VerifyNone(t, before)
}

func runTroubled(t *testing.T, letGo <-chan struct{}) {
	t.Helper()
	hangs := runnerFunc(func(_ context.Context, report Report) error {
		report(Running, "")
		<-letGo
		return nil
	})
	restartHanging := WithRestart(hangs, atOnce)
	restartHanging.(*restarting).stopTimeout = time.Millisecond
	s := newSupervisor(t,
		Component{Name: "works", Runner: probed{Runner: silent, ready: fine, healthy: fine}},
		Component{Name: "fails", Runner: runnerFunc(func(context.Context, Report) error { return errors.New("disk full") })},
		Component{Name: "is never started", Needs: []string{"fails"}, Runner: silent},
		Component{Name: "fails again and again", Runner: WithRestart(runnerFunc(func(context.Context, Report) error { return errors.New("disk full") }), atOnce)},
		Component{Name: "panics again and again", Runner: WithRestart(runnerFunc(func(context.Context, Report) error { panic("boom") }), atOnce)},
		Component{Name: "hangs", Needs: []string{"works"}, Runner: hangs},
		Component{Name: "hangs again and again", Runner: restartHanging},
		Component{Name: "is last", Outlives: []string{"works", "hangs"}, Runner: silent},
	)
	s.timings = quick
	s.timings.stop = time.Millisecond
	wanted := map[string]bool{"fails": true, "fails again and again": true, "panics again and again": true, "hangs": true, "hangs again and again": true}
	seen := make(chan struct{})
	s.Subscribe(func(e Event) {
		switch {
		case e.Component == "hangs again and again" && e.State == Running && e.Restarts == 0:
			s.Fault(e.Component, errors.New("a fault"))
		case e.Component == "hangs" && e.State == Running, e.Component == "fails" && e.State == Failed, e.Restarts > 0 && e.State == Restarting:
			if delete(wanted, e.Component); len(wanted) == 0 && seen != nil {
				close(seen)
				seen = nil
			}
		}
	})
	all := seen
	stop := startIt(t, s)
	<-all
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
