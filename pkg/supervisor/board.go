// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"strings"
	"sync"
	"time"
)

// board holds the status of every component and tells subscribers of each
// change, one at a time and in the order they happened.
type board struct {
	mu          sync.Mutex
	order       []string
	statuses    map[string]*Status
	up          map[string]chan struct{} // closed when a component is first up
	subscribers []func(Event)
}

func newBoard(components []Component) *board {
	b := &board{statuses: map[string]*Status{}, up: map[string]chan struct{}{}}
	for _, c := range components {
		b.order = append(b.order, c.Name)
		b.statuses[c.Name] = &Status{Component: c.Name, Accessory: c.Accessory, State: Waiting, Since: time.Now()}
		b.up[c.Name] = make(chan struct{})
	}
	return b
}

func (b *board) subscribe(fn func(Event)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(b.subscribers, fn)
}

// list returns a copy of every status, in the order the components were given.
func (b *board) list() []Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Status, 0, len(b.order))
	for _, name := range b.order {
		out = append(out, *b.statuses[name])
	}
	return out
}

// change applies update to a component's status and, when that changed
// anything, tells the subscribers.
func (b *board) change(name string, update func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.statuses[name]
	before := *s
	update(s)
	if s.State != before.State {
		s.Since = time.Now()
	}
	if *s == before {
		return
	}
	if s.State.Up() {
		select {
		case <-b.up[name]:
		default:
			close(b.up[name])
		}
	}
	for _, fn := range b.subscribers {
		fn(Event{Status: *s, Before: before})
	}
}

// set moves a component to state. A component that has been asked to stop
// comes back no more: late reports of its Runner are dropped.
func (b *board) set(name string, state State, detail string) {
	b.change(name, func(s *Status) {
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
