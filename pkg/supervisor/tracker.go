// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"strings"
	"sync"
	"time"
)

// tracker holds the status of every component and queues each change for every
// subscriber, in the order they happened. It calls nobody while its lock is held.
type tracker struct {
	mu          sync.Mutex
	order       []string
	components  map[string]*tracked
	subscribers []*subscription
	closed      bool
}

type tracked struct {
	status   Status
	up       chan struct{} // closed when it is first up
	starting chan struct{} // holds a value after it has come into Starting
}

func newTracker(components []Component) *tracker {
	t := &tracker{components: map[string]*tracked{}}
	for _, c := range components {
		t.order = append(t.order, c.Name)
		t.components[c.Name] = &tracked{
			status:   Status{Component: c.Name, Accessory: c.Accessory, State: Waiting, Since: time.Now()},
			up:       make(chan struct{}),
			starting: make(chan struct{}, 1),
		}
	}
	return t
}

func (t *tracker) subscribe(fn func(Event)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	s := newSubscription()
	t.subscribers = append(t.subscribers, s)
	go s.deliver(fn)
}

// close ends all subscriptions and waits until what is queued has been
// delivered. It returns ctx's error when that ends first.
func (t *tracker) close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	subscribers := t.subscribers
	t.mu.Unlock()
	for _, s := range subscribers {
		s.close()
	}
	for _, s := range subscribers {
		select {
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// list returns a copy of every status, in the order the components were given.
func (t *tracker) list() []Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Status, 0, len(t.order))
	for _, name := range t.order {
		out = append(out, t.components[name].status)
	}
	return out
}

func (t *tracker) state(name string) State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.components[name].status.State
}

// up returns a channel that is closed when the component is first up.
func (t *tracker) up(name string) <-chan struct{} { return t.components[name].up }

// starting returns a channel that gets a value when the component has come into
// Starting.
func (t *tracker) starting(name string) <-chan struct{} { return t.components[name].starting }

// change applies update to a component's status and, when that changed
// anything, queues an event.
func (t *tracker) change(name string, update func(*Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.components[name]
	before := c.status
	update(&c.status)
	if c.status == before {
		return
	}
	if c.status.State != before.State {
		c.status.Since = time.Now()
		c.signal()
	}
	for _, s := range t.subscribers {
		s.push(Event{Status: c.status, Before: before})
	}
}

// signal tells those who wait for the state that the component has come into.
func (c *tracked) signal() {
	switch {
	case c.status.State == Starting:
		select {
		case c.starting <- struct{}{}:
		default:
		}
	case c.status.State.Up():
		select {
		case <-c.up:
		default:
			close(c.up)
		}
	}
}

// set moves a component to state. A component that has been asked to stop
// comes back no more: late reports of its Runner are dropped.
func (t *tracker) set(name string, state State, detail string) {
	t.change(name, func(s *Status) {
		if s.State.Ended() || (s.State == Stopping && !state.Ended()) {
			return
		}
		s.State, s.Detail = state, detail
		if state == Restarting {
			s.Restarts++
			s.LastFailure, _, _ = strings.Cut(detail, againIn)
		}
		if !state.Up() {
			s.Unhealthy = ""
		}
	})
}
