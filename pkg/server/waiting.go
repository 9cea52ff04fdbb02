// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// waiting is the Runner on which all others depend in a start that has to wait: it
// makes the checks again until none of them has anything to wait for. What is found
// to be wrong by then ends the run as at its beginning.
type waiting struct {
	check func(context.Context) []preflight.Finding
	made  atomic.Int64
}

// checkEvery is the pace of the checks. One that has a member of etcd to wait for
// takes etcdclient.MemberTimeout by itself.
const checkEvery = 2 * time.Second

func newWaiting(p *plan.Plan) *waiting {
	return &waiting{check: func(ctx context.Context) []preflight.Finding {
		return preflight.Recheck(ctx, p, preflight.Options{Now: time.Now()})
	}}
}

// afterWaiting puts waiting before those components that need no other.
func afterWaiting(all []supervisor.Component, w *waiting) []supervisor.Component {
	for i := range all {
		if len(all[i].Needs) == 0 && len(all[i].Outlives) == 0 {
			all[i].Needs = []string{preflightName}
		}
	}
	return append([]supervisor.Component{{Name: preflightName, Critical: true, Runner: w}}, all...)
}

// judged parts findings by what they mean for a start: what it waits for, warnings,
// and what ends it, in one line each.
func judged(found []preflight.Finding) (waitsFor, warnings []preflight.Finding, wrong error) {
	var errs []error
	for _, f := range found {
		switch {
		case f.IsError():
			errs = append(errs, errors.New(f.String()))
		case f.IsWait():
			waitsFor = append(waitsFor, f)
		default:
			warnings = append(warnings, f)
		}
	}
	return waitsFor, warnings, errors.Join(errs...)
}

// isWaiting reports whether, of these components, the start still waits.
func isWaiting(components []supervisor.Status) bool {
	return slices.ContainsFunc(components, func(s supervisor.Status) bool {
		return s.Component == preflightName && !s.State.Up()
	})
}

// Checks returns how many checks have been made.
func (w *waiting) Checks() int64 { return w.made.Load() }

// Run implements supervisor.Runner.
func (w *waiting) Run(ctx context.Context, report supervisor.Report) error {
	since := map[string]time.Time{}
	begun := time.Now()
	for {
		waitsFor, _, wrong := judged(w.check(ctx))
		var waits []string
		for _, f := range waitsFor {
			what := f.Subject + " " + f.Problem
			if since[what].IsZero() {
				since[what] = time.Now()
			}
			waits = append(waits, fmt.Sprintf("%s (since %s)", what, since[what].Format(time.TimeOnly)))
		}
		w.made.Add(1)
		switch {
		case ctx.Err() != nil:
			return nil
		case wrong != nil:
			return wrong
		case len(waits) == 0:
			report(supervisor.Running, "waited "+time.Since(begun).Round(time.Second).String())
			<-ctx.Done()
			return nil
		}
		report(supervisor.Starting, "waits: "+strings.Join(waits, "; "))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(checkEvery):
		}
	}
}
