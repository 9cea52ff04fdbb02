// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// leadership is a lease that was won.
type leadership struct {
	// leading ends when the lease is lost.
	leading context.Context
	// resign releases the lease, if it is still held, and waits for that.
	// Nothing may act any more when it is called.
	resign func()
}

// standBy campaigns for the lease until it is won. It returns nil when ctx ends
// first, or when the term cannot be led any more.
func (r *runner) standBy(ctx context.Context, fence *Fence, report supervisor.Report) (*leadership, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	released := make(chan struct{}, 1)
	watching := false
	for {
		c, err := r.campaign(fence)
		if err != nil {
			return nil, err
		}
		for again := false; !again; {
			select {
			case leading := <-c.won:
				return &leadership{leading: leading, resign: c.resign}, nil
			case <-c.leader:
				if !watching {
					watching = true
					go watchRelease(ctx, r.Client, r.ResourceNamespace, r.ResourceName, released)
				}
			case <-c.attempted:
				if state, words := r.Health.standby(); state != "" {
					report(state, words)
				}
			case <-released:
				// A new elector tries at once; this one would wait its turn.
				c.resign()
				again = true
			case <-ctx.Done():
				c.resign()
				return nil, nil
			}
		}
		if fence.Closed() {
			return nil, nil // it won and resigned in the same moment
		}
	}
}

// campaign is one elector at work.
type campaign struct {
	won    chan context.Context // gets the context of the leadership
	leader chan string          // gets each other leader that is seen
	resign func()               // as in leadership
	// attempted holds a value after an attempt to have the lease.
	attempted chan struct{}
}

func (r *runner) campaign(fence *Fence) (*campaign, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	c := &campaign{
		won:    make(chan context.Context, 1),
		leader: make(chan string, 1),
		resign: func() { cancel(); <-stopped },

		attempted: make(chan struct{}, 1),
	}
	elector, err := leaderelection.NewLeaderElector(r.electorConfig(fence, c, leaderelection.LeaderCallbacks{
		OnStartedLeading: func(ctx context.Context) { c.won <- ctx },
		OnStoppedLeading: func() {},
		OnNewLeader: func(id string) {
			if id == r.identity || id == "" {
				return
			}
			select {
			case c.leader <- id:
			case <-stopped:
			}
		},
	}))
	if err != nil {
		cancel()
		return nil, err
	}
	if r.WatchDog != nil {
		r.WatchDog.SetLeaderElection(elector)
	}
	go func() {
		defer close(stopped)
		elector.Run(ctx)
	}()
	return c, nil
}

// signalAttempt never blocks: who takes the signal looks at what is known then.
func (c *campaign) signalAttempt() {
	select {
	case c.attempted <- struct{}{}:
	default:
	}
}

func (r *runner) electorConfig(fence *Fence, c *campaign, callbacks leaderelection.LeaderCallbacks) leaderelection.LeaderElectionConfig {
	return leaderelection.LeaderElectionConfig{
		Lock: &fencingLock{fence: fence, health: r.Health, process: r.Process, attempted: c.signalAttempt, Interface: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: r.ResourceNamespace, Name: r.ResourceName},
			Client:     r.Client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: r.identity, EventRecorder: r.Recorder},
		}},
		Name:            r.ResourceName,
		LeaseDuration:   r.LeaseDuration.Duration,
		RenewDeadline:   r.RenewDeadline.Duration,
		RetryPeriod:     r.RetryPeriod.Duration,
		ReleaseOnCancel: true,
		Callbacks:       callbacks,
	}
}
