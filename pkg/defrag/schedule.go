// SPDX-License-Identifier: Apache-2.0

package defrag

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Schedule is the Runner that has the members of the embedded etcd defragmented
// where that gains. Every controller looks, and the first that finds something to
// gain does it for all.
type Schedule struct {
	// Etcd is how the members are reached.
	Etcd etcdclient.Config
	// Interval is how often it looks.
	Interval time.Duration
	// Free is how many bytes of a database have to be free, beside half of it;
	// DefaultFree for 0.
	Free int64
}

// DefaultFree is what of a database has to be free: less is soon used again.
const DefaultFree = 100_000_000

const (
	// firstLook is within which a run looks for the first time: restarts must not put
	// it off for ever.
	firstLook = time.Hour
	// lookAgain is when it looks again after it could not do what there is to do.
	lookAgain = time.Hour
	// settling is what a member may take to be in step with the others again.
	settling = time.Minute
)

// Run looks at the members, and has those defragmented that gain, until ctx ends.
func (s *Schedule) Run(ctx context.Context, report supervisor.Report) error {
	report(supervisor.Running, "")
	timer := time.NewTimer(jitter(min(firstLook, s.Interval)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		freed, err := s.Look(ctx)
		next := s.Interval + jitter(s.Interval/10)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrLocked):
			next = min(lookAgain, s.Interval)
			report(supervisor.Running, "")
		case err != nil:
			next = min(lookAgain, s.Interval)
			klog.ErrorS(nil, "etcd was not defragmented; it is tried again", "reason", connerr.OneLine(err))
			report(supervisor.Running, "not defragmented: "+connerr.OneLine(err))
		case freed > 0:
			report(supervisor.Running, fmt.Sprintf("last gave back %s, at %s", Megabytes(freed), time.Now().UTC().Format(time.RFC3339)))
		default:
			report(supervisor.Running, "")
		}
		timer.Reset(next)
	}
}

func jitter(most time.Duration) time.Duration { return rand.N(max(1, most)) }

// Look has every member defragmented that gains, and returns how many bytes that
// gave back. It is an error when one gains that cannot be spared.
func (s *Schedule) Look(ctx context.Context) (freed int64, err error) {
	client, err := s.Etcd.Client(ctx)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	all, err := s.members(ctx, client)
	if err != nil || !slices.ContainsFunc(all, s.gains) {
		return 0, err
	}
	held, release, err := Lock(ctx, client)
	if err != nil {
		return 0, err
	}
	defer release()
	done := map[string]bool{}
	for {
		// As they are now: another may lead, or be gone.
		all, err := s.members(held, client)
		if err != nil {
			return freed, err
		}
		i := slices.IndexFunc(all, func(m *Member) bool { return s.gains(m) && !done[m.Member] })
		if i < 0 {
			return freed, nil
		}
		m := all[i]
		if err := spared(m, all); err != nil {
			return freed, err
		}
		done[m.Member] = true
		if err := s.defragment(held, m); err != nil {
			return freed, fmt.Errorf("defragmenting %s: %w", m.Member, err)
		}
		freed += m.Before - m.After
	}
}

func (s *Schedule) members(ctx context.Context, client *clientv3.Client) ([]*Member, error) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	return Members(ctx, client, s.Etcd)
}

// gains reports whether more than half of a database, and enough of it, is free.
func (s *Schedule) gains(m *Member) bool {
	least := s.Free
	if least == 0 {
		least = DefaultFree
	}
	free := m.Before - m.InUse
	return m.Err == nil && free > least && free > m.Before/2
}

// spared returns why the cluster cannot be without m for a while, or nil. One that
// is alone is missed by all anyway, for a second in 100 MB.
func spared(m *Member, all []*Member) error {
	voters, others := 0, 0
	var silent error
	for _, o := range all {
		switch {
		case o.learner:
			continue
		case o.Err != nil:
			silent = o.Err
		case o != m:
			others++
		}
		voters++
	}
	if m.learner || voters == 1 || others >= voters/2+1 {
		return nil
	}
	if silent != nil {
		return fmt.Errorf("the cluster cannot spare %s: %w", m.Member, silent)
	}
	return fmt.Errorf("the cluster cannot spare %s: of %d members that vote it needs all", m.Member, voters)
}

// defragment does so with one member, and waits until it is in step again.
func (s *Schedule) defragment(ctx context.Context, m *Member) error {
	klog.InfoS("Defragmenting an etcd member", "member", m.Member, "size", Megabytes(m.Before), "inUse", Megabytes(m.InUse))
	began := time.Now()
	if err := m.Defragment(ctx, s.Etcd); err != nil {
		return err
	}
	klog.InfoS("Defragmented an etcd member", "member", m.Member, "size", Megabytes(m.After), "took", time.Since(began).Round(time.Millisecond))
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		wrong := s.Etcd.Check(ctx, m.endpoint)
		if wrong == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return wrong
		case <-time.After(time.Second):
		}
	}
}
