// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// faultLine is the way a failure seen elsewhere reaches the run of a component
// that is under way.
type faultLine struct {
	mu     sync.Mutex
	cancel context.CancelCauseFunc
}

type faultLineKey struct{}

func withFaultLine(ctx context.Context, f *faultLine) context.Context {
	return context.WithValue(ctx, faultLineKey{}, f)
}

func (f *faultLine) connect(cancel context.CancelCauseFunc) (previous context.CancelCauseFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	previous, f.cancel = f.cancel, cancel
	return previous
}

func (f *faultLine) fail(reason error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel == nil {
		return false
	}
	f.cancel(reason)
	return true
}

// attempt runs r once. A fault ends it; when r does not stop then, it is given
// up, so that one stuck goroutine cannot hold a component down for good.
func attempt(ctx context.Context, r Runner, report Report) error {
	runCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if f, ok := ctx.Value(faultLineKey{}).(*faultLine); ok {
		previous := f.connect(cancel)
		defer func() { f.connect(previous) }()
	}
	result := make(chan error, 1)
	go func() { result <- Guard(func() error { return r.Run(runCtx, report) }) }()
	var err error
	select {
	case err = <-result:
	case <-runCtx.Done():
		if ctx.Err() != nil {
			return <-result // an orderly stop is timed by the supervisor
		}
		select {
		case err = <-result:
		case <-time.After(StopTimeout):
			return fmt.Errorf("%w; it did not stop within %s and was abandoned", context.Cause(runCtx), StopTimeout)
		}
	}
	if ctx.Err() == nil && runCtx.Err() != nil {
		return context.Cause(runCtx)
	}
	return err
}

// Guard calls run on a goroutine of its own and returns what became of it: its
// result, or an error if it panicked or ended its goroutine.
func Guard(run func() error) error {
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
	return <-result
}
