// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"slices"
	"sync"
	"time"
)

// Tracker remembers what files held when they were loaded.
type Tracker struct {
	now func() time.Time

	mu     sync.Mutex
	uses   []Use
	loaded []content          // of uses, by index
	seen   map[string]content // by path, as last looked at
}

// New returns a Tracker of what the files hold now.
func New(uses []Use) *Tracker {
	t := &Tracker{now: time.Now, uses: slices.Clone(uses), loaded: make([]content, len(uses)), seen: map[string]content{}}
	t.load(func(Use) bool { return true })
	return t
}

// Loaded tells that a component has just read what it reads at these moments.
func (t *Tracker) Loaded(by string, at ...Moment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.load(func(u Use) bool { return u.By == by && slices.Contains(at, u.Moment) })
}

// Reread tells that whoever uses a file has just read it again.
func (t *Tracker) Reread(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.load(func(u Use) bool { return u.Path == path })
}

func (t *Tracker) load(which func(Use) bool) {
	for i, u := range t.uses {
		if which(u) {
			t.loaded[i] = t.look(u.Path)
		}
	}
}

// look returns what a file holds, and reads it only if it was written to.
func (t *Tracker) look(path string) content {
	c := look(path, t.seen[path], t.now())
	t.seen[path] = c
	return c
}

// Changes returns the files that differ from what was loaded, in the order of
// their uses.
func (t *Tracker) Changes() []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	var changes []Change
	for i, u := range t.uses {
		if now := t.look(u.Path); !now.equal(t.loaded[i]) {
			changes = append(changes, Change{u, now.state(t.loaded[i]), now.at, now.reason})
		}
	}
	return changes
}

// Fingerprint identifies what all files hold together, as last looked at: it is
// another one when any of them has changed.
func (t *Tracker) Fingerprint() Fingerprint {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fingerprint(t.seen)
}
