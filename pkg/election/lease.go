// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// LeaseHealth knows of one replica's lease who holds it, and why nobody can. The
// zero value is of a replica that needs none.
type LeaseHealth struct {
	mu       sync.Mutex
	identity string        // of the replica
	lasts    time.Duration // how long the lease lasts without a renewal

	record  *resourcelock.LeaderElectionRecord // as read or written last, or nil
	changed time.Time                          // when that was first seen
	err     error                              // of the last attempt to have the lease
	since   time.Time                          // of the first of such errors in a row
	unread  bool                               // the last one was of reading it
	deleted bool                               // the lease was last found to be gone, while somebody held it

	own renewals // of the replica's own lease
}

// begin forgets what was known of another run.
func (h *LeaseHealth) begin(identity string, lasts time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.identity, h.lasts = identity, lasts
	h.record, h.err, h.unread, h.deleted = nil, nil, false, false
}

// seen takes the record that was read or written. Only a new one shows that
// somebody can write it: an apiserver may give the lease and refuse it.
func (h *LeaseHealth) seen(record resourcelock.LeaderElectionRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deleted = false
	if h.record != nil && h.record.HolderIdentity == record.HolderIdentity && h.record.RenewTime.Equal(&record.RenewTime) {
		if h.unread {
			h.err, h.unread = nil, false
		}
		return
	}
	h.record, h.changed, h.err, h.unread = &record, time.Now(), nil, false
}

// unchanged returns for how long the record has been seen to be as it is.
func (h *LeaseHealth) unchanged() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.changed)
}

// gone takes that there is no lease, and returns the one that is to be waited out
// all the same, or nil: a lease that was deleted under its holder may have been
// renewed a moment ago, and its holder acts on until it knows.
func (h *LeaseHealth) gone() *resourcelock.LeaderElectionRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unread {
		h.err, h.unread = nil, false
	}
	if !h.heldByAnother() {
		return nil
	}
	if !h.deleted {
		h.deleted, h.changed = true, time.Now()
	}
	return ptr.To(*h.record)
}

// unreadable takes the error of an attempt to read the lease.
func (h *LeaseHealth) unreadable(err error) { h.failed(err, true) }

// refused takes the error of an attempt to write it.
func (h *LeaseHealth) refused(err error) { h.failed(err, false) }

func (h *LeaseHealth) failed(err error, unread bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.since = time.Now()
	}
	h.err, h.unread = err, unread
}

// Healthy returns why nobody can lead, for as long as a lease lasts already, or
// nil.
func (h *LeaseHealth) Healthy(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || time.Since(h.since) < h.lasts || h.heldByAnother() {
		return nil
	}
	return errors.New(h.describe())
}

// standby returns what a replica that waits for the lease is, and why, in words;
// no state when there is nothing new to say of it.
func (h *LeaseHealth) standby() (supervisor.State, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.record == nil && h.err == nil, h.err == nil && h.record.HolderIdentity == h.identity:
		return "", "" // on its way to lead
	case h.record == nil:
		return supervisor.Starting, h.describe()
	}
	return supervisor.Standby, h.describe()
}

// heldByAnother reports whether somebody else renewed the lease recently enough,
// by this replica's own clock, as electors see it.
func (h *LeaseHealth) heldByAnother() bool {
	return h.record != nil && h.record.HolderIdentity != "" && h.record.HolderIdentity != h.identity && time.Since(h.changed) < h.lasts
}

func (h *LeaseHealth) describe() string {
	if h.heldByAnother() {
		if h.deleted {
			return fmt.Sprintf("the lease was deleted; %s, who held it, has until %s to make it again", h.record.HolderIdentity, utc(h.changed.Add(h.lasts)))
		}
		// Two looks, because the holder's clock may be another.
		if time.Since(h.record.RenewTime.Time) > h.lasts && time.Since(h.changed) > h.lasts/5 {
			return h.record.HolderIdentity + " has not renewed its lease since " + utc(h.record.RenewTime.Time)
		}
		return h.record.HolderIdentity + " leads"
	}
	switch {
	case h.unread:
		return "who leads is not known; its lease cannot be read: " + oneLine(h.err)
	case h.record == nil:
		return "its lease cannot be made: " + oneLine(h.err)
	}
	words := "nobody leads"
	if h.record.HolderIdentity != "" {
		words += fmt.Sprintf(": the lease of %s ran out at %s", h.record.HolderIdentity, utc(h.record.RenewTime.Add(h.lasts)))
	}
	if h.err != nil {
		words += "; it cannot be taken: " + oneLine(h.err)
	}
	return words
}

// oneLine returns what an error says, the same words for the same trouble: which of
// its two timers ends a request makes no difference (net/http, client.go).
func oneLine(err error) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(err.Error()), " "), " (Client.Timeout exceeded while awaiting headers)")
}

func utc(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }
