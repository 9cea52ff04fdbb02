// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"sync"
	"time"
)

// question is put to somebody who may be slow to answer, or may not answer at
// all. It is put in the background, once at a time, and its last answer is kept:
// who asks waits as long as suits them.
type question[T any] struct {
	// put asks, and returns soon after ctx ends.
	put func(ctx context.Context) T
	// timeout ends the ctx of put.
	timeout time.Duration

	mu     sync.Mutex
	asking chan struct{} // closed with the answer; nil while nobody asks
	last   T
	lastAt time.Time
}

// answer puts the question, unless it is put already, waits for patience at most
// and no longer than ctx lasts, and returns the last answer and when that came; the zero time for never.
func (q *question[T]) answer(ctx context.Context, patience time.Duration) (last T, at time.Time) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-q.ask():
	case <-timeout.C:
	case <-ctx.Done():
	}
	return q.known()
}

// recent is answer for what changes slowly: it asks only where the last answer is
// older than age.
func (q *question[T]) recent(ctx context.Context, age, patience time.Duration) T {
	last, at := q.known()
	if time.Since(at) >= age {
		last, _ = q.answer(ctx, max(patience, 0))
	}
	return last
}

// known returns the last answer and when that came.
func (q *question[T]) known() (last T, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last, q.lastAt
}

func (q *question[T]) ask() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asking != nil {
		return q.asking
	}
	answered := make(chan struct{})
	q.asking = answered
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), q.timeout)
		defer cancel()
		a := q.put(ctx)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.last, q.lastAt, q.asking = a, time.Now(), nil
		close(answered)
	}()
	return answered
}
