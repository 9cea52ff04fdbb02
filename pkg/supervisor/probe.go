// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"time"
)

// probe asks the optional interfaces of c's Runner until ctx ends: ready
// whenever it has been started, healthy from then on.
func (s *Supervisor) probe(ctx context.Context, c Component) {
	readier, _ := as[Readier](c.Runner)
	checker, _ := as[HealthChecker](c.Runner)
	if readier == nil && checker == nil {
		return
	}
	starting := s.tracker.starting(c.Name)
	for {
		select {
		case <-ctx.Done():
			return
		case <-starting:
			if readier != nil {
				s.awaitReady(ctx, c.Name, readier)
			}
		case <-time.After(s.timings.healthInterval):
			if checker != nil {
				s.checkHealth(ctx, c.Name, checker)
			}
		}
	}
}

// awaitReady asks until the answer is yes, or the component is not starting any
// more.
func (s *Supervisor) awaitReady(ctx context.Context, component string, r Readier) {
	for s.tracker.state(component) == Starting {
		err := s.ask(ctx, r.Ready)
		if err == nil {
			s.tracker.change(component, func(st *Status) {
				if st.State == Starting {
					st.State, st.Detail = Running, ""
				}
			})
			return
		}
		s.tracker.change(component, func(st *Status) {
			if st.State == Starting && time.Since(st.Since) > s.timings.explain {
				st.Detail = err.Error()
			}
		})
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.timings.readyInterval):
		}
	}
}

func (s *Supervisor) checkHealth(ctx context.Context, component string, h HealthChecker) {
	err := s.ask(ctx, h.Healthy)
	s.tracker.change(component, func(st *Status) {
		st.Unhealthy = ""
		if err != nil && st.State.Up() {
			st.Unhealthy = err.Error()
		}
	})
}

func (s *Supervisor) ask(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timings.probe)
	defer cancel()
	return question(ctx)
}
