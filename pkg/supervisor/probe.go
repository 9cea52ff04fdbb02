// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"time"
)

const (
	readyInterval  = 50 * time.Millisecond // while starting
	healthInterval = 5 * time.Second       // once up
	probeTimeout   = 3 * time.Second
)

// probe asks the optional interfaces of c's Runner: ready until it is, healthy
// from then on.
func (s *Supervisor) probe(ctx context.Context, c Component) {
	if r, ok := as[Readier](c.Runner); ok {
		for ask(ctx, r.Ready) != nil {
			if !pause(ctx, readyInterval) {
				return
			}
		}
		s.board.set(c.Name, Running, "")
	}
	h, ok := as[HealthChecker](c.Runner)
	if !ok {
		return
	}
	for pause(ctx, healthInterval) {
		err := ask(ctx, h.Healthy)
		if ctx.Err() != nil {
			return
		}
		s.board.change(c.Name, func(st *Status) {
			st.Unhealthy = ""
			if err != nil && st.State.Up() {
				st.Unhealthy = err.Error()
			}
		})
	}
}

func ask(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return question(ctx)
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
