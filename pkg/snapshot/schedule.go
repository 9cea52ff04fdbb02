// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Schedule is the Runner that takes snapshots on time. In a cluster every
// controller takes its own, of the member that it asks anyway, on its own disk:
// what is left when machines are lost is what the others have, and nobody has to
// be elected.
type Schedule struct {
	// Etcd is whose snapshots are taken, and Dir where they go.
	Etcd etcdclient.Config
	Dir  string
	// Interval is how old the newest one may get, give or take a tenth, and Keep how
	// many are kept.
	Interval time.Duration
	Keep     int
	// Remote is where copies go, as many; nil for nowhere.
	Remote *Remote
	// Tell has an event kept about a copy that failed.
	Tell func(ctx context.Context, text string) error
}

// retryAfter is when one is tried again after a failure, at the latest.
const retryAfter = 10 * time.Minute

// Run takes snapshots until ctx ends, and copies them. It asks nobody anything in
// between.
func (s *Schedule) Run(ctx context.Context, report supervisor.Report) error {
	newest, err := s.newest()
	if err != nil {
		return err
	}
	next := s.first(newest, time.Now())
	expect(newest, next)
	defer due.Set(0)
	report(supervisor.Running, told(newest))
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	copies := time.NewTimer(0) // what a run before this one has not copied
	defer copies.Stop()
	if s.Remote == nil {
		copies.Stop()
	}
	failed, copied := "", ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			saved, err := s.take(ctx)
			failed = ""
			if err != nil {
				failed = "the last one failed: " + oneLine(err) + "; "
				timer.Reset(min(retryAfter, s.Interval))
				break
			}
			newest = saved
			again := s.Interval + jitter(s.Interval)
			timer.Reset(again)
			expect(newest, time.Now().Add(again))
			if s.Remote != nil {
				copies.Reset(0)
			}
		case <-copies.C:
			copied = ", copied to the bucket"
			if err := s.copy(ctx); err != nil {
				copied = "; not copied to the bucket: " + oneLine(err)
				copies.Reset(min(retryAfter, s.Interval))
			}
		}
		if ctx.Err() == nil {
			report(supervisor.Running, failed+told(newest)+copied)
		}
	}
}

// expect has the metrics tell which is the newest, and when the next one is due.
func expect(newest File, next time.Time) {
	if newest.Path != "" {
		lastSaved.Set(float64(newest.Taken.Unix()))
	}
	due.Set(float64(next.Unix()))
}

// copy has all that is kept here in the bucket too, and tells when it cannot.
func (s *Schedule) copy(ctx context.Context) error {
	copied, err := s.Remote.Sync(ctx, s.Dir, s.Keep)
	for _, f := range copied {
		klog.InfoS("Copied a snapshot of etcd into the bucket", "file", f.Path, "bucket", s.Remote.Name)
		lastCopied.SetToCurrentTime()
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	failedCopies.Inc()
	klog.ErrorS(nil, "A snapshot of etcd was not copied into the bucket; it is kept here, and tried again", "reason", oneLine(err), "dir", s.Dir)
	if err := s.Tell(ctx, "a snapshot of etcd was not copied into the bucket: "+oneLine(err)); err != nil && ctx.Err() == nil {
		klog.V(4).InfoS("No event was kept about it", "err", err)
	}
	return err
}

// newest returns the newest snapshot that is there, or none.
func (s *Schedule) newest() (File, error) {
	files, err := List(s.Dir)
	if err != nil || len(files) == 0 {
		return File{}, err
	}
	return files[0], nil
}

// first is when the first one of this run is due: by the age of the newest one, so
// that restarts neither add any nor put them off. Controllers that start together
// do not take theirs at the same time.
func (s *Schedule) first(newest File, now time.Time) time.Time {
	due := newest.Taken.Add(s.Interval)
	if due.Before(now) {
		due = now
	}
	return due.Add(jitter(s.Interval))
}

// jitter is a part of a tenth of the interval.
func jitter(interval time.Duration) time.Duration {
	return rand.N(max(1, interval/10))
}

// take saves one and deletes what is too many.
func (s *Schedule) take(ctx context.Context) (File, error) {
	file, err := s.save(ctx)
	if err != nil && ctx.Err() == nil {
		klog.ErrorS(err, "The scheduled snapshot of etcd failed", "dir", s.Dir)
	}
	return file, err
}

func (s *Schedule) save(ctx context.Context) (File, error) {
	saved, err := Save(ctx, s.Etcd, s.Dir)
	if err != nil {
		return File{}, err
	}
	klog.InfoS("Saved a snapshot of etcd", "file", saved.Path, "revision", saved.Revision, "keys", saved.Keys, "from", saved.From)
	if saved.Stale {
		klog.ErrorS(nil, "The member did not reach most others: what was written last may be missing from the snapshot", "file", saved.Path)
	}
	if _, err := Prune(s.Dir, s.Keep); err != nil {
		return File{}, fmt.Errorf("deleting old snapshots: %w", err)
	}
	return s.newest()
}

// told says which is the newest.
func told(newest File) string {
	if newest.Path == "" {
		return "none taken yet"
	}
	return fmt.Sprintf("last %s at revision %d", newest.Taken.Format(time.RFC3339), newest.Revision)
}
