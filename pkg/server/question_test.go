// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAQuestionDoesNotKeepWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var takes atomic.Int64 // in nanoseconds
		put := 0
		q := question[int]{timeout: 3 * time.Second, put: func(ctx context.Context) int {
			put++
			n := put
			select {
			case <-time.After(time.Duration(takes.Load())):
				return n
			case <-ctx.Done():
				return -n
			}
		}}
		asks := func(when string, patience, waits time.Duration, want int, age time.Duration) {
			t.Helper()
			begun := time.Now()
			got, at := q.answer(t.Context(), patience)
			if waited := time.Since(begun); waited != waits {
				t.Errorf("%s: it takes %s, want %s", when, waited, waits)
			}
			if got != want || got != 0 && time.Since(at) != age || got == 0 && !at.IsZero() {
				t.Errorf("%s: got %d of %s ago, want %d of %s", when, got, time.Since(at), want, age)
			}
		}
		takes.Store(int64(time.Second))
		asks("before anybody has answered", 500*time.Millisecond, 500*time.Millisecond, 0, 0)
		asks("with the question that is put already", time.Second, 500*time.Millisecond, 1, 0)
		takes.Store(int64(time.Hour))
		asks("of somebody who is silent", 500*time.Millisecond, 500*time.Millisecond, 1, 500*time.Millisecond)
		asks("until the question is given up", time.Minute, 2500*time.Millisecond, -2, 0)
		takes.Store(int64(100 * time.Millisecond))
		asks("of somebody who is back", 500*time.Millisecond, 100*time.Millisecond, 3, 0)
		takes.Store(int64(time.Hour))
		over, end := context.WithCancel(t.Context())
		end()
		if got, _ := q.answer(over, time.Minute); got != 3 {
			t.Errorf("for somebody who is gone: %d", got)
		}
		time.Sleep(time.Minute) // the question is given up meanwhile
		synctest.Wait()
		if put != 4 {
			t.Errorf("the question was put %d times, want 4", put)
		}
	})
}
