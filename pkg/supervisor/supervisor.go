// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"slices"
	"sync"
	"time"
)

// Label is the profiling label that every goroutine of a component carries,
// with the component's name as its value. Goroutines inherit it, so a profile
// and a panic can be traced to their component.
const Label = "component"

// StopTimeout is how long one component may take to stop before it is given
// up and those it needs are stopped without it.
const StopTimeout = 20 * time.Second

// Supervisor starts, watches and stops components. Make one with [New]; Run
// may be called once.
type Supervisor struct {
	components []Component
	board      *board
	faults     map[string]*faultLine

	stop     chan struct{} // closed when everything is to stop
	stopOnce sync.Once
	cause    error // why, when a critical component failed; guarded by stopOnce
	done     map[string]chan struct{}
}

// New checks the components and returns their supervisor. Components must be
// given in an order in which each comes after all that it needs or outlives.
func New(components ...Component) (*Supervisor, error) {
	s := &Supervisor{
		components: components,
		faults:     map[string]*faultLine{},
		stop:       make(chan struct{}),
		done:       map[string]chan struct{}{},
	}
	for _, c := range components {
		for _, other := range slices.Concat(c.Needs, c.Outlives) {
			if _, ok := s.done[other]; !ok {
				return nil, fmt.Errorf("component %s needs or outlives %s, which does not come before it", c.Name, other)
			}
		}
		if len(c.Needs) > 0 && len(c.Outlives) > 0 {
			return nil, fmt.Errorf("component %s both needs and outlives others", c.Name)
		}
		if _, ok := s.done[c.Name]; ok {
			return nil, fmt.Errorf("component %s is given twice", c.Name)
		}
		s.done[c.Name] = make(chan struct{})
		s.faults[c.Name] = &faultLine{}
	}
	s.board = newBoard(components)
	return s, nil
}

// Subscribe has fn called for every event, in order and one at a time. fn must
// return quickly and must not call the Supervisor.
func (s *Supervisor) Subscribe(fn func(Event)) { s.board.subscribe(fn) }

// Statuses returns the status of every component, in the order given to New.
func (s *Supervisor) Statuses() []Status { return s.board.list() }

// Fault ends the current run of a component with the given reason, as if it
// had failed by itself: for failures that only show outside its Runner, such
// as a panic on one of its goroutines. It returns false when no run of such a
// component is under way.
func (s *Supervisor) Fault(component string, reason error) bool {
	f, ok := s.faults[component]
	return ok && f.fail(reason)
}

// Run runs all components until ctx ends or a critical one fails, stops them
// in reverse, and returns nil or what failed.
func (s *Supervisor) Run(ctx context.Context) error {
	stopOnEnd := context.AfterFunc(ctx, func() { s.initiateStop(nil) })
	defer stopOnEnd()
	var wg sync.WaitGroup
	for _, c := range s.components {
		wg.Go(func() {
			defer close(s.done[c.Name])
			s.supervise(c)
		})
	}
	wg.Wait()
	s.initiateStop(nil)
	return s.cause
}

// Stopping says whether a stop has begun.
func (s *Supervisor) Stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

func (s *Supervisor) initiateStop(cause error) {
	s.stopOnce.Do(func() {
		s.cause = cause
		close(s.stop)
	})
}

// supervise sees one component through its life.
func (s *Supervisor) supervise(c Component) {
	if !s.awaitNeeds(c) {
		s.board.set(c.Name, Stopped, "was not started")
		return
	}
	// Not a child of Run's context: a component must outlive those that need it.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx = withFaultLine(ctx, s.faults[c.Name])
	go s.cancelInTurn(c, cancel)

	s.board.set(c.Name, Starting, "")
	err := s.run(ctx, c)
	switch {
	case ctx.Err() != nil && err == nil:
		s.board.set(c.Name, Stopped, "")
		return
	case err == nil:
		err = errors.New("ended by itself")
	}
	s.board.change(c.Name, func(st *Status) {
		st.State, st.Detail, st.LastFailure = Failed, err.Error(), err.Error()
	})
	if c.Critical && ctx.Err() == nil {
		s.initiateStop(fmt.Errorf("%s: %w", c.Name, err))
	}
}

func (s *Supervisor) awaitNeeds(c Component) bool {
	for _, need := range c.Needs {
		s.board.set(c.Name, Waiting, "for "+need)
		select {
		case <-s.board.up[need]:
		case <-s.done[need]:
			return false
		case <-s.stop:
			return false
		}
	}
	return true
}

// cancelInTurn ends a component's context once a stop has begun and all that
// need the component, and all that it outlives, have stopped.
func (s *Supervisor) cancelInTurn(c Component, cancel context.CancelFunc) {
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
	s.board.set(c.Name, Stopping, "")
	cancel()
}

// run runs c's Runner under its label, probes it, and gives it up when it does
// not stop in time.
func (s *Supervisor) run(ctx context.Context, c Component) error {
	report := s.reporter(c.Name)
	result := make(chan error, 1)
	pprof.Do(ctx, pprof.Labels(Label, c.Name), func(ctx context.Context) {
		go func() { result <- attempt(ctx, c.Runner, report) }()
		go s.probe(ctx, c)
	})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result:
		return err
	case <-time.After(StopTimeout):
		return fmt.Errorf("did not stop within %s", StopTimeout)
	}
}

func (s *Supervisor) reporter(name string) Report {
	return func(state State, detail string) { s.board.set(name, state, detail) }
}
