// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"k8s.io/klog/v2"
)

// Guard calls run on a goroutine of its own and returns what became of it: its
// result, or an error if it panicked or ended its goroutine.
func Guard(run func() error) error { return <-guarded(run) }

// ErrAbandoned is in the error of a run that was not waited for any longer.
var ErrAbandoned = errors.New("abandoned")

// GuardWithin calls run as [Guard] does. Once ctx has ended, run has patience to
// return; then it is abandoned, and goes on unattended: one stuck goroutine must
// not hold a component down for good. The error is [ErrAbandoned] then.
func GuardWithin(ctx context.Context, patience time.Duration, run func(context.Context) error) error {
	result := guarded(func() error { return run(ctx) })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		return fmt.Errorf("it did not stop within %s and was %w", patience, ErrAbandoned)
	}
}

// guarded returns at once; the channel gets what became of run, whether anybody
// waits for it or not.
func guarded(run func() error) <-chan error {
	result := make(chan error, 1)
	go func() {
		err := errors.New("its goroutine was ended")
		defer func() { // also after runtime.Goexit
			if r := recover(); r != nil {
				klog.ErrorS(nil, "Recovered a panic", "panic", r, "stack", string(debug.Stack()))
				err = fmt.Errorf("panic: %v", r)
			}
			result <- err
		}()
		err = run()
	}()
	return result
}
