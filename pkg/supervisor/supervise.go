// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"slices"

	"k8s.io/klog/v2"
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

// stopInTurn ends a component's context once a stop has begun, all that need the
// component, and all that it outlives, have stopped, and it has drained.
func (s *Supervisor) stopInTurn(c Component, cancel context.CancelFunc) {
	select {
	case <-s.stop:
	case <-s.done[c.Name]:
		return
	}
	drained := s.drain(c)
	for _, other := range s.components {
		if slices.Contains(other.Needs, c.Name) || slices.Contains(c.Outlives, other.Name) {
			<-s.done[other.Name]
		}
	}
	select {
	case <-drained:
	case <-s.done[c.Name]:
		return
	}
	s.tracker.set(c.Name, Stopping, "")
	cancel()
}

// drain drains a component that can be drained; what it returns is closed afterwards.
func (s *Supervisor) drain(c Component) <-chan struct{} {
	drained := make(chan struct{})
	d, ok := as[Drainer](c.Runner)
	if !ok {
		close(drained)
		return drained
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.done[c.Name]
		cancel()
	}()
	go func() {
		defer close(drained)
		if err := Guard(func() error { d.Drain(ctx); return nil }); err != nil {
			klog.ErrorS(err, "Draining failed", "component", c.Name)
		}
	}()
	return drained
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
