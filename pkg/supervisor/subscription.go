// SPDX-License-Identifier: Apache-2.0

package supervisor

import "sync"

// subscription is the queue of one subscriber. It has no bound: a subscriber
// that is slow, or stuck, holds up nobody but itself.
type subscription struct {
	mu      sync.Mutex
	changed sync.Cond // events or closed
	events  []Event
	closed  bool
	done    chan struct{} // closed when everything has been delivered
}

func newSubscription() *subscription {
	s := &subscription{done: make(chan struct{})}
	s.changed.L = &s.mu
	return s
}

func (s *subscription) push(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	s.changed.Signal()
}

// close ends the subscription once what is queued has been delivered.
func (s *subscription) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Signal()
}

// deliver calls fn for one event after the other until the subscription is
// closed and empty.
func (s *subscription) deliver(fn func(Event)) {
	defer close(s.done)
	for {
		events := s.take()
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			fn(e)
		}
	}
}

// take waits for events and returns all that are queued: none once the
// subscription is closed.
func (s *subscription) take() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.events) == 0 && !s.closed {
		s.changed.Wait()
	}
	events := s.events
	s.events = nil
	return events
}
