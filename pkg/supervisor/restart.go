// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// DefaultBackoff pauses 1 s after the first failure, twice as long after each
// further one, up to 30 s, each with up to half as much again at random so that
// three controllers do not retry in step.
var DefaultBackoff = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 30 * time.Second}

// backoffReset is how long a run must have lasted for the next failure to count
// as the first one again.
const backoffReset = time.Minute

// WithRestart wraps a Runner so that it is run again after it failed, after a
// pause that grows with backoff. It returns only when its context ends. The
// result is for one component: [Supervisor.Fault] ends the run that is under way.
func WithRestart(r Runner, backoff wait.Backoff) Runner {
	return &restarting{Runner: r, backoff: backoff, resetAfter: backoffReset, stopTimeout: StopTimeout}
}

// againIn parts the failure from the pause in the detail of Restarting.
const againIn = "; runs again in "

type restarting struct {
	Runner
	backoff     wait.Backoff
	resetAfter  time.Duration // as backoffReset
	stopTimeout time.Duration // for a run that a fault ends

	mu      sync.Mutex
	current *attempt // nil between two of them
}

// attempt is one run of a Runner that may be run again.
type attempt struct {
	cancel context.CancelCauseFunc
}

// Unwrap returns the Runner that is run again.
func (r *restarting) Unwrap() Runner { return r.Runner }

// Run implements Runner.
func (r *restarting) Run(ctx context.Context, report Report) error {
	pause := r.backoff
	for {
		started := time.Now()
		err := r.runOnce(ctx, report)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		if time.Since(started) > r.resetAfter {
			pause = r.backoff
		}
		d := pause.Step()
		report(Restarting, fmt.Sprintf("%v%s%s", err, againIn, d.Round(time.Millisecond)))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(d):
		}
		report(Starting, "")
	}
}

// runOnce returns what ended the run: its own error, or the fault.
func (r *restarting) runOnce(ctx context.Context, report Report) error {
	attemptCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &attempt{cancel: cancel}
	r.setCurrent(a)
	defer r.setCurrent(nil)
	err := GuardWithin(attemptCtx, r.stopTimeout, func(ctx context.Context) error {
		return r.Runner.Run(ctx, r.reporter(a, report))
	})
	switch fault := context.Cause(attemptCtx); {
	case ctx.Err() != nil || fault == nil:
		return err
	case errors.Is(err, ErrAbandoned):
		return fmt.Errorf("%w; %w", fault, err)
	default:
		return fault
	}
}

func (r *restarting) setCurrent(a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = a
}

// reporter passes on what a reports while it is the current one: one that was
// abandoned has nothing to say about the next.
func (r *restarting) reporter(a *attempt, report Report) Report {
	return func(state State, detail string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.current == a {
			report(state, detail)
		}
	}
}

// fault ends the attempt that is under way. Between two there is nothing to end:
// the next one begins afresh anyway.
func (r *restarting) fault(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		r.current.cancel(reason)
	}
}
