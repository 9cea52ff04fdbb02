// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMoreTimeIsAskedForWhileTheStartWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done, asked atomic.Int64
		var started atomic.Bool
		s := &startTimeout{
			started: started.Load,
			work:    done.Load,
			extend: func(d time.Duration) {
				if asked.Add(1); d != extendBy {
					t.Errorf("asked for %s", d)
				}
			},
		}
		ended := make(chan struct{})
		go func() { defer close(ended); s.run(context.Background(), extendEvery) }()
		synctest.Wait() // until it has looked once
		step := func(work bool, want int64) {
			t.Helper()
			if work {
				done.Add(1)
			}
			time.Sleep(extendEvery)
			synctest.Wait()
			if got := asked.Load(); got != want {
				t.Errorf("asked %d times, want %d", got, want)
			}
		}
		step(true, 1)
		step(true, 2)
		step(false, 2) // stuck
		step(false, 2)
		step(true, 3) // it goes on
		started.Store(true)
		step(true, 4) // the last look was under way
		<-ended
	})
}

func TestWorkIsMeasured(t *testing.T) {
	before := workDone()
	for begun := time.Now(); workDone() == before; {
		if time.Since(begun) > time.Minute {
			t.Fatal("a minute of computing is no work")
		}
	}
}
