// SPDX-License-Identifier: Apache-2.0

package election

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

var errRefused = errors.New("failed calling webhook \"all.example.com\":\nno such service")

// leased is the health of a lease of 15 s, and what it says.
type leased struct {
	*testing.T
	LeaseHealth
}

// renewed is a lease that holder has renewed a while ago.
func (l *leased) renewed(holder string, ago time.Duration) {
	l.seen(resourcelock.LeaderElectionRecord{HolderIdentity: holder, RenewTime: metav1.NewTime(time.Now().Add(-ago))})
}

// wants checks what a standby says, and whether that is trouble.
func (l *leased) wants(when string, state supervisor.State, words string, trouble bool) {
	l.Helper()
	gotState, gotWords := l.standby()
	if gotState != state || !strings.Contains(gotWords, words) || strings.Contains(gotWords, "\n") {
		l.Errorf("%s: %s, %q, want %s, %q", when, gotState, gotWords, state, words)
	}
	err := l.Healthy(l.Context())
	if (err != nil) != trouble || err != nil && err.Error() != gotWords {
		l.Errorf("%s: trouble is %v, want %v", when, err, trouble)
	}
}

func TestWhoLeadsAndWhyNobodyCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &leased{T: t}
		l.begin("me", 15*time.Second)
		l.wants("before the first attempt", "", "", false)
		l.refused(errRefused)
		l.wants("when it is refused from the first", supervisor.Starting, "its lease cannot be made: failed calling", false)
		l.begin("me", 15*time.Second)
		l.unreadable(errors.New("x509: not valid for ::1"))
		l.wants("without a way to the lease", supervisor.Starting, "who leads is not known; its lease cannot be read: x509", false)
		time.Sleep(20 * time.Second)
		l.wants("for longer than a lease lasts", supervisor.Starting, "x509: not valid for ::1", true)

		l.begin("me", 15*time.Second)
		l.renewed("dead", time.Hour)
		l.wants("at first sight", supervisor.Standby, "dead leads", false)
		time.Sleep(4 * time.Second)
		renewed := time.Now().Add(-time.Hour - 4*time.Second).UTC().Format(time.DateTime)
		l.wants("when nobody has renewed it since", supervisor.Standby, "dead has not renewed its lease since "+renewed+" UTC", false)
		time.Sleep(12 * time.Second)
		l.refused(errRefused)
		l.wants("when it is refused", supervisor.Standby, "the lease of dead ran out at ", false)
		time.Sleep(16 * time.Second)
		l.refused(errRefused)
		l.seen(*l.record) // it can be read all the time
		l.wants("when it is refused still", supervisor.Standby, `it cannot be taken: failed calling webhook "all.example.com": no such service`, true)

		l.renewed("other", 0)
		l.wants("when another one got it", supervisor.Standby, "other leads", false)
		l.refused(errRefused)
		time.Sleep(10 * time.Second)
		l.renewed("other", 0)
		l.wants("when that one renews it", supervisor.Standby, "other leads", false)
		renewedLast := *l.record
		time.Sleep(20 * time.Second)
		l.unreadable(errors.New("no quorum"))
		l.wants("when the storage is gone", supervisor.Standby, "who leads is not known; its lease cannot be read: no quorum", false)
		time.Sleep(20 * time.Second)
		l.wants("when that lasts", supervisor.Standby, "not known", true)
		l.seen(renewedLast)
		l.wants("when it can be read again", supervisor.Standby, "nobody leads: the lease of other ran out", false)
		l.renewed("me", 0)
		l.wants("on its way to lead", "", "", false)
		for range 10 {
			time.Sleep(2 * time.Second)
			l.refused(errRefused)
		}
		l.wants("when its own renewals are refused", supervisor.Standby, "nobody leads: the lease of me ran out at", true)
	})
}

func TestALeaseThatWasDeletedIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stored := &storedLock{record: by(other)}
		health := new(LeaseHealth)
		health.begin(own, 15*time.Second)
		l := &fencingLock{Interface: stored, fence: NewFence(time.Minute), health: health, attempted: func() {}}
		get := func(after time.Duration, wantHeld bool) {
			t.Helper()
			time.Sleep(after)
			record, raw, err := l.Get(t.Context())
			if held := err == nil && record.HolderIdentity == other && (stored.err == nil || len(raw) > 0); held != wantHeld || !held && !apierrors.IsNotFound(err) {
				t.Errorf("after %s more: %v, %v; want it held: %v", after, record, err, wantHeld)
			}
		}
		stored.err = apierrors.NewNotFound(coordinationv1.Resource("leases"), "x")
		get(0, false) // nobody is known to have held it
		stored.err = nil
		get(0, true)
		stored.err = apierrors.NewNotFound(coordinationv1.Resource("leases"), "x")
		// It may have been renewed right before it was deleted, and not when it was seen last.
		get(10*time.Second, true)
		if state, words := health.standby(); state != supervisor.Standby || !strings.Contains(words, "was deleted; "+other) {
			t.Errorf("it says %s, %q", state, words)
		}
		get(14*time.Second, true)
		get(time.Second, false)

		// What the holder makes again is its own.
		stored.err, stored.record = nil, by(other)
		get(0, true)
		if _, words := health.standby(); words != other+" leads" {
			t.Errorf("it says %q", words)
		}
		// A lease that was released before it was deleted is nobody's.
		stored.record = by("")
		if _, _, err := l.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored.err = apierrors.NewNotFound(coordinationv1.Resource("leases"), "x")
		get(0, false)
	})
}

func TestALateRequestIsToldInTheSameWords(t *testing.T) {
	const late = `Get "https://127.0.0.1:6443/": context deadline exceeded`
	for _, said := range []string{late, late + " (Client.Timeout exceeded while awaiting headers)"} {
		if got := oneLine(errors.New(said)); got != late {
			t.Errorf("%q is told as %q", said, got)
		}
	}
}
