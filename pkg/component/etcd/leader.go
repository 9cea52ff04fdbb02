// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/klog/v2"
)

// Times of looking for a leader.
const (
	leaderEvery = time.Second
	// leaderless is how long there may be none before that is told: longer than an
	// election.
	leaderless = 3 * time.Second
)

// watchLeader tells, until ctx ends, when the cluster has no leader, and when it has
// one again. Without one there is no quorum: nothing can be written.
func (m *Member) watchLeader(ctx context.Context, server *embed.Etcd) {
	w := leaderWatch{
		hasLeader: func() bool { return server.Server.Leader() != 0 },
		why: func() string {
			why, err := m.waitsFor(ctx, server)
			if err != nil {
				return err.Error()
			}
			return why
		},
		onOutage: m.OnOutage,
		log:      klog.Background(),
	}
	w.run(ctx)
}

// leaderWatch is what watchLeader needs of a member.
type leaderWatch struct {
	hasLeader func() bool
	why       func() string        // for whom the member waits; may take a while
	onOutage  func() (over func()) // may be nil
	log       klog.Logger
}

func (w leaderWatch) run(ctx context.Context) {
	look := time.NewTicker(leaderEvery)
	defer look.Stop()
	var since time.Time // when it was seen first that there is none
	var told bool
	over := func() {}
	defer func() { over() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		switch now := time.Now(); {
		case w.hasLeader():
			if told {
				w.log.Info("etcd has a leader again", "after", now.Sub(since).Round(time.Second))
			}
			over()
			since, told, over = time.Time{}, false, func() {}
		case since.IsZero():
			since = now
			if w.onOutage != nil {
				over = w.onOutage()
			}
		case !told && now.Sub(since) >= leaderless:
			told = true
			w.log.Error(nil, "etcd has no leader, and nothing can be written", "why", w.why())
		}
	}
}
