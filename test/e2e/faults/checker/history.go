// SPDX-License-Identifier: Apache-2.0

// Package checker uses a control plane as its clients do, writes down what every
// request came to, and judges that history: an acknowledged write that is lost, a
// read of the past, a watch with a gap, two that acted for one lease, and how long
// nobody was served. The judgement knows nothing but the history.
package checker

import (
	"slices"
	"sync"
	"time"
)

// Verb is what an Op does.
type Verb string

// A client creates an object with version 1, and updates it to later ones.
const (
	Create Verb = "create"
	Update Verb = "update"
	Read   Verb = "read"
)

// Op is one request, as its client saw it.
type Op struct {
	Client string
	Verb   Verb
	Object string
	// Version is what was written or read; 0 is read of an object that is not there.
	Version int
	// Revision is the resource version in the answer to a write.
	Revision     int64
	Began, Ended time.Time
	// Err is empty when the request was answered well. Else nothing is promised: a
	// write may have happened, or may not.
	Err string
}

// Event is what a watch delivered.
type Event struct {
	// List says that it is no event: everything up to Revision was listed, as at
	// the beginning, and after the server said that the past is gone.
	List     bool
	Object   string
	Version  int
	Revision int64
	At       time.Time
}

// History is what several clients saw.
type History struct {
	mu      sync.Mutex
	ops     []Op
	watched map[string][]Event
}

func (h *History) add(op Op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
}

func (h *History) see(watch string, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watched == nil {
		h.watched = map[string][]Event{}
	}
	h.watched[watch] = append(h.watched[watch], e)
}

// Ops are the requests so far.
func (h *History) Ops() []Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ops)
}

// Watched is what each watch has delivered so far.
func (h *History) Watched() map[string][]Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string][]Event{}
	for name, events := range h.watched {
		all[name] = slices.Clone(events)
	}
	return all
}
