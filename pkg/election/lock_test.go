// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/component-base/metrics/testutil"
)

const (
	own   = "controller-0"
	other = "controller-1"
)

// storedLock is a resource lock in memory.
type storedLock struct {
	resourcelock.Interface
	record resourcelock.LeaderElectionRecord
	writes []string // the holders that were written
	err    error
}

func (l *storedLock) Identity() string { return own }
func (l *storedLock) Describe() string { return "kube-system/lock-test" }

func (l *storedLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &l.record, nil, l.err
}

func (l *storedLock) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	if l.err == nil {
		l.record, l.writes = r, append(l.writes, r.HolderIdentity)
	}
	return l.err
}

func (l *storedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, r)
}

func by(holder string) resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{HolderIdentity: holder, LeaseDurationSeconds: 15, RenewTime: metav1.NewTime(time.Now().Add(-2 * time.Second))}
}

func TestTheFenceMovesWithTheLease(t *testing.T) {
	lost := errors.New("connection refused")
	get := func(l *fencingLock) error { _, _, err := l.Get(context.Background()); return err }
	create := func(l *fencingLock) error { return l.Create(context.Background(), by(own)) }
	renew := func(l *fencingLock) error { return l.Update(context.Background(), by(own)) }
	release := func(l *fencingLock) error { return l.Update(context.Background(), by("")) }
	tests := map[string]struct {
		stored       string // the holder
		err          error
		held         bool // renewed before
		do           []func(*fencingLock) error
		open, closed bool
		writes       []string
	}{
		"created":                            {do: []func(*fencingLock) error{create}, open: true, writes: []string{own}},
		"not created":                        {do: []func(*fencingLock) error{create}, err: lost},
		"taken over":                         {stored: other, do: []func(*fencingLock) error{get, renew}, open: true, writes: []string{own}},
		"not renewed":                        {stored: own, do: []func(*fencingLock) error{get, renew}, err: lost},
		"still our own":                      {stored: own, held: true, do: []func(*fencingLock) error{get}, open: true},
		"somebody else's while we held it":   {stored: other, held: true, do: []func(*fencingLock) error{get}, closed: true},
		"somebody else's as ever":            {stored: other, do: []func(*fencingLock) error{get}},
		"nobody's":                           {stored: "", held: true, do: []func(*fencingLock) error{get}, open: true},
		"not to be read":                     {stored: other, held: true, do: []func(*fencingLock) error{get}, err: lost, open: true},
		"released":                           {stored: own, held: true, do: []func(*fencingLock) error{get, release}, closed: true, writes: []string{""}},
		"lost, and then released":            {stored: other, held: true, do: []func(*fencingLock) error{get, release}, closed: true},
		"released, and the release got lost": {stored: own, held: true, do: []func(*fencingLock) error{get, release}, err: lost, closed: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stored := &storedLock{record: by(test.stored), err: test.err}
			l := &fencingLock{Interface: stored, fence: NewFence(time.Minute), health: new(LeaseHealth), attempted: func() {}}
			if test.held {
				l.fence.Renewed(time.Now())
				l.holder = own
			}
			for _, do := range test.do {
				if err := do(l); !errors.Is(err, test.err) {
					t.Errorf("got %v, want %v", err, test.err)
				}
			}
			if l.fence.Open() != test.open || l.fence.Closed() != test.closed {
				t.Errorf("open %v, closed %v; want %v, %v", l.fence.Open(), l.fence.Closed(), test.open, test.closed)
			}
			if !slices.Equal(stored.writes, test.writes) {
				t.Errorf("written were %q, want %q", stored.writes, test.writes)
			}
		})
	}
}

func TestAHandoverIsMeasuredOnce(t *testing.T) {
	handover.Reset()
	l := &fencingLock{Interface: &storedLock{record: by(other)}, fence: NewFence(time.Minute), health: new(LeaseHealth), attempted: func() {}}
	if _, _, err := l.Get(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Update(context.Background(), by(own)); err != nil {
			t.Fatal(err)
		}
	}
	h, err := testutil.GetHistogramMetricCount(handover.WithLabelValues("kube-system/lock-test"))
	if err != nil {
		t.Fatal(err)
	}
	took, err := testutil.GetHistogramMetricValue(handover.WithLabelValues("kube-system/lock-test"))
	if err != nil {
		t.Fatal(err)
	}
	if h != 1 || took < 2 || took > 60 {
		t.Errorf("%d handovers in %.1f s, want one of 2 s", h, took)
	}
}
