// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"slices"
)

// supervise sees one component through its life.
func (s *Supervisor) supervise(c Component) {
	if !s.awaitNeeds(c) {
		s.tracker.set(c.Name, Stopped, "was not started")
		return
	}
	// Not a child of Run's context: a component must outlive those that need it.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.stopInTurn(c, cancel)

	s.tracker.set(c.Name, Starting, "")
	err := s.run(ctx, c)
	switch {
	case ctx.Err() != nil && err == nil:
		s.tracker.set(c.Name, Stopped, "")
		return
	case err == nil:
		err = errors.New("ended by itself")
	}
	s.tracker.change(c.Name, func(st *Status) {
		st.State, st.Detail, st.LastFailure, st.Unhealthy = Failed, err.Error(), err.Error(), ""
	})
	if c.Critical {
		s.initiateStop(fmt.Errorf("%s: %w", c.Name, err))
	}
}

// awaitNeeds reports whether all that c needs came up.
func (s *Supervisor) awaitNeeds(c Component) bool {
	for _, need := range c.Needs {
		s.tracker.set(c.Name, Waiting, "for "+need)
		select {
		case <-s.tracker.up(need):
		case <-s.done[need]:
			return false
		case <-s.stop:
			return false
		}
	}
	return true
}

// stopInTurn ends a component's context once a stop has begun and all that
// need the component, and all that it outlives, have stopped.
func (s *Supervisor) stopInTurn(c Component, cancel context.CancelFunc) {
	select {
	case <-s.stop:
	case <-s.done[c.Name]:
		return
	}
	for _, other := range s.components {
		if slices.Contains(other.Needs, c.Name) || slices.Contains(c.Outlives, other.Name) {
			<-s.done[other.Name]
		}
	}
	s.tracker.set(c.Name, Stopping, "")
	cancel()
}

// run runs c's Runner under its label, and probes it.
func (s *Supervisor) run(ctx context.Context, c Component) (err error) {
	report := func(state State, detail string) { s.tracker.set(c.Name, state, detail) }
	pprof.Do(ctx, pprof.Labels(Label, c.Name), func(ctx context.Context) {
		go s.probe(ctx, c)
		err = GuardWithin(ctx, s.timings.stop, func(ctx context.Context) error { return c.Runner.Run(ctx, report) })
	})
	return err
}
