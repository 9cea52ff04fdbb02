// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestGuardReturnsWhatBecameOfIt(t *testing.T) {
	tests := map[string]struct {
		run  func() error
		want string
	}{
		"an error": {func() error { return errors.New("disk full") }, "disk full"},
		"a panic":  {func() error { panic("index out of range") }, "panic: index out of range"},
		"an end":   {func() error { runtime.Goexit(); return nil }, "its goroutine was ended"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := Guard(test.run); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if err := Guard(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestGuardWithinAbandonsOnlyWhatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stopped := errors.New("stopped")
	err := GuardWithin(ctx, time.Minute, func(ctx context.Context) error { <-ctx.Done(); return stopped })
	if !errors.Is(err, stopped) {
		t.Errorf("one that stops: got %v", err)
	}
	letGo := make(chan struct{})
	defer close(letGo)
	err = GuardWithin(ctx, time.Millisecond, func(context.Context) error { <-letGo; return nil })
	if !errors.Is(err, ErrAbandoned) || err.Error() != "it did not stop within 1ms and was abandoned" {
		t.Errorf("one that hangs: got %v", err)
	}
	// Without an end of ctx there is no patience to run out.
	done := make(chan error, 1)
	go func() {
		done <- GuardWithin(context.Background(), 0, func(context.Context) error { return stopped })
	}()
	if err := <-done; !errors.Is(err, stopped) {
		t.Errorf("one that ends by itself: got %v", err)
	}
}
