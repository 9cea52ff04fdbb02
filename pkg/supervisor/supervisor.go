// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// StopTimeout is how long one component may take to stop before it is
// abandoned and those it needs are stopped without it.
const StopTimeout = 20 * time.Second

// timings are what the supervisor waits for, and how long.
type timings struct {
	stop           time.Duration // for one component to stop
	delivery       time.Duration // for the subscribers to take the last events
	probe          time.Duration // for one answer
	readyInterval  time.Duration // between questions while a component starts
	healthInterval time.Duration // between questions once it is up
	explain        time.Duration // before a start that lasts tells what it waits for
}

var defaultTimings = timings{
	stop:           StopTimeout,
	delivery:       3 * time.Second,
	probe:          3 * time.Second,
	readyInterval:  50 * time.Millisecond,
	healthInterval: 5 * time.Second,
	explain:        3 * time.Second,
}

// Supervisor starts, watches and stops components. Make one with [New]; Run
// may be called once.
type Supervisor struct {
	components  []Component
	restartable map[string]*restarting
	tracker     *tracker
	timings     timings

	stop     chan struct{} // closed when everything is to stop
	stopOnce sync.Once
	cause    error // why, when a critical component failed; guarded by stopOnce
	done     map[string]chan struct{}
}

// New checks the components and returns their supervisor. Components must be
// given in an order in which each comes after all that it needs or outlives.
func New(components ...Component) (*Supervisor, error) {
	s := &Supervisor{
		components:  components,
		restartable: map[string]*restarting{},
		timings:     defaultTimings,
		stop:        make(chan struct{}),
		done:        map[string]chan struct{}{},
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
		if r, ok := as[*restarting](c.Runner); ok {
			s.restartable[c.Name] = r
		}
	}
	s.tracker = newTracker(components)
	return s, nil
}

// Subscribe has fn called for every event from now on, in order and one at a
// time, on a goroutine of its own that ends with Run. No component waits for fn;
// Run waits a few seconds for it to take the last events.
func (s *Supervisor) Subscribe(fn func(Event)) { s.tracker.subscribe(fn) }

// Statuses returns the status of every component, in the order given to New.
func (s *Supervisor) Statuses() []Status { return s.tracker.list() }

// Fault ends the current run of a component with the given reason, as if it
// had failed by itself: for failures that only show outside its Runner, such
// as a panic on one of its goroutines. Between two runs there is nothing left to
// end. It reports whether the failure ends there: false for a component that
// cannot be run again (see [WithRestart]) or is not known.
func (s *Supervisor) Fault(component string, reason error) bool {
	r, ok := s.restartable[component]
	if ok {
		r.fault(reason)
	}
	return ok
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
	s.deliverLastEvents()
	return s.cause
}

func (s *Supervisor) deliverLastEvents() {
	ctx, cancel := context.WithTimeout(context.Background(), s.timings.delivery)
	defer cancel()
	if err := s.tracker.close(ctx); err != nil {
		klog.ErrorS(err, "A subscriber did not take the last events of the components in time")
	}
}

// Stopping reports whether a stop has begun.
func (s *Supervisor) Stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// initiateStop begins a stop, unless one has begun; then cause is of no interest
// any more.
func (s *Supervisor) initiateStop(cause error) {
	s.stopOnce.Do(func() {
		s.cause = cause
		close(s.stop)
	})
}
