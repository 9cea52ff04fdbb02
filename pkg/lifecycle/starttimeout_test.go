// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestMoreTimeIsAskedForWhileTheStartWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, asked, started := int64(0), 0, false
		s := &startTimeout{
			started: func() bool { return started },
			work:    func() int64 { return done },
			extend: func(d time.Duration) {
				if asked++; d != extendBy {
					t.Errorf("asked for %s", d)
				}
			},
		}
		ended := make(chan struct{})
		go func() { defer close(ended); s.run(context.Background(), extendEvery) }()
		synctest.Wait() // until it has looked once
		step := func(work bool, want int) {
			t.Helper()
			if work {
				done++
			}
			time.Sleep(extendEvery)
			synctest.Wait()
			if asked != want {
				t.Errorf("asked %d times, want %d", asked, want)
			}
		}
		step(true, 1)
		step(true, 2)
		step(false, 2) // stuck
		step(false, 2)
		step(true, 3) // it goes on
		started = true
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
