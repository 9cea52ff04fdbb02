// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// DefaultBackoff pauses 1 s after the first failure, twice as long after each
// further one, up to 30 s, each with up to half as much again at random so that
// three controllers do not retry in step.
var DefaultBackoff = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 30 * time.Second}

// settled is how long a run must have lasted for the next failure to count as
// the first one again.
const settled = time.Minute

// WithRestart wraps a Runner so that it is run again after it failed, after a
// pause that grows with backoff. It returns only when its context ends.
func WithRestart(r Runner, backoff wait.Backoff) Runner {
	return &restarting{Runner: r, backoff: backoff}
}

// againIn parts the failure from the pause in the detail of Restarting.
const againIn = "; runs again in "

type restarting struct {
	Runner
	backoff wait.Backoff
}

func (r *restarting) Unwrap() Runner { return r.Runner }

func (r *restarting) Run(ctx context.Context, report Report) error {
	pause := r.backoff
	for {
		started := time.Now()
		err := attempt(ctx, r.Runner, report)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		if time.Since(started) > settled {
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
