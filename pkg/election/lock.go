// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"encoding/json"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// fencingLock is a resource lock that moves a Fence along with the lease.
type fencingLock struct {
	resourcelock.Interface
	fence  *Fence
	health *LeaseHealth
	// process is the one that the lock is in.
	process Process
	// attempted is called after every attempt, once health knows of it.
	attempted func()
	holder    string // as last read
	// renewed is when another holder renewed or released the lease last, by its
	// clock, until this one has it; then it is zero.
	renewed time.Time
}

// Get reads the lease. Somebody else's name in a lease that was ours is its loss:
// the elector alone would try to win it back until its renew deadline. A lease that
// was deleted under another holder counts as held for as long as that one may act.
func (l *fencingLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	defer l.attempted()
	record, raw, err := l.Interface.Get(ctx)
	switch {
	case err == nil:
		l.health.seen(*record)
	case !apierrors.IsNotFound(err):
		l.health.unreadable(err)
	default: // it is made then
		if held := l.health.gone(); held != nil {
			return l.asHeld(held)
		}
	}
	if err == nil {
		l.holder = record.HolderIdentity
		if l.holder != l.Identity() {
			l.renewed = record.RenewTime.Time
		}
		if l.holder != "" && l.holder != l.Identity() && l.fence.Open() {
			l.fence.Close()
			l.health.ended()
		}
		l.shorten(record)
	}
	return record, raw, err
}

// shorten has the elector wait for the lease of another holder no longer than that may
// be alive: it begins to count at its own first look, and this replica has had others
// before, while it filled its caches. raw, by which it sees a renewal, stays as it is.
func (l *fencingLock) shorten(record *resourcelock.LeaderElectionRecord) {
	if l.holder == "" || l.holder == l.Identity() {
		return
	}
	lasts, unchanged := time.Duration(record.LeaseDurationSeconds)*time.Second, l.health.unchanged()
	if unchanged >= lasts || l.process.hasEnded(l.holder) {
		record.HolderIdentity = "" // as if it had been released
		return
	}
	record.LeaseDurationSeconds -= int(unchanged.Seconds())
}

// asHeld answers with a lease that was deleted as if it were there.
func (l *fencingLock) asHeld(record *resourcelock.LeaderElectionRecord) (*resourcelock.LeaderElectionRecord, []byte, error) {
	raw, err := json.Marshal(record)
	return record, raw, err
}

func (l *fencingLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	asked := time.Now()
	err := l.Interface.Create(ctx, record)
	l.wrote(record, err)
	if err == nil {
		l.fence.Renewed(asked)
		l.health.renewed(asked)
	}
	return err
}

// Update renews or releases the lease. A release of a lease that somebody else
// has meanwhile is passed over: LeaderElector.tryRelease reads the lease anew
// but decides by what it last observed, and would take it from its new holder.
func (l *fencingLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity != l.Identity() {
		l.fence.Close()
		l.health.ended()
		if l.holder != l.Identity() {
			return nil
		}
		return l.Interface.Update(ctx, record)
	}
	asked := time.Now()
	err := l.Interface.Update(ctx, record)
	l.wrote(record, err)
	if err == nil {
		l.fence.Renewed(asked)
		l.health.renewed(asked)
		l.observeHandover()
	}
	return err
}

// wrote tells of an attempt to have the lease. To be outrun by another replica is
// none that failed.
func (l *fencingLock) wrote(record resourcelock.LeaderElectionRecord, err error) {
	switch {
	case err == nil:
		l.health.seen(record)
	case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err):
		l.health.refused(err)
	}
	l.attempted()
}

// observeHandover measures how long nobody led, where another one did before.
func (l *fencingLock) observeHandover() {
	if l.renewed.IsZero() {
		return
	}
	handover.WithLabelValues(l.Describe()).Observe(max(0, time.Since(l.renewed).Seconds()))
	l.renewed = time.Time{}
}
