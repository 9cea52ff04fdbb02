// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"fmt"
	"time"
)

// WaitFor calls done every interval until it returns nil, and fails with its
// last error when ctx ends first. what says what is waited for.
func WaitFor(ctx context.Context, interval time.Duration, what string, done func(context.Context) error) error {
	began := time.Now()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := done(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s: %w", time.Since(began).Round(time.Millisecond), what, err)
		case <-tick.C:
		}
	}
}
