// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

const (
	// pulse is how often it is looked whether time has passed unseen.
	pulse = time.Second
	// stoodStill is how much later than that tells of a pause.
	stoodStill = 3 * time.Second
	// pauseWindow is for how long one is told of.
	pauseWindow = time.Hour
)

// pauses knows when this process stood still: stopped by a signal, on a virtual
// machine that was frozen, or without CPU time.
type pauses struct {
	mu   sync.Mutex
	late []pause // in the last hour
	all  int
}

type pause struct {
	at     time.Time
	length time.Duration
}

// run looks until ctx ends.
func (p *pauses) run(ctx context.Context) {
	last := time.Now()
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		p.beat(last, now)
		last = now
	}
}

// beat takes two moments, one after the other, between which pulse should have passed.
func (p *pauses) beat(last, now time.Time) {
	lost := now.Sub(last) - pulse // by the monotonic clock
	if lost < stoodStill {
		return
	}
	klog.InfoS("This process stood still", "for", lost.Round(100*time.Millisecond))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all++
	p.late = append(p.late, pause{now, lost})
}

// recent returns how many there were in the hour before now, and how long the longest
// was.
func (p *pauses) recent(now time.Time) (n int, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.late) > 0 && now.Sub(p.late[0].at) > pauseWindow {
		p.late = p.late[1:]
	}
	for _, each := range p.late {
		longest = max(longest, each.length)
	}
	return len(p.late), longest
}

// total returns how many there were since the start.
func (p *pauses) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}
