// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"sync"
	"time"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/drift"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// fileWatch finds files that are newer than what is in force, and whether the next
// start would be refused for them.
type fileWatch struct {
	tracker *drift.Tracker
	// next plans what a start would, from the files as they are.
	next func() (*plan.Plan, error)
	// started is what the files held at the start, which was not refused.
	started drift.Fingerprint
	check   question[checked]

	mu          sync.Mutex
	needRestart []string // keys of the config file
}

// checked is what a start with certain files would find.
type checked struct {
	files drift.Fingerprint
	found []status.Foreseen
}

// checkTimeout is what the checks of a start may take: most of it is the
// components' own evaluation, of about a second.
const checkTimeout = 30 * time.Second

func newFileWatch(p *plan.Plan, next func() (*plan.Plan, error)) *fileWatch {
	w := &fileWatch{tracker: drift.New(p.Uses()), next: next}
	w.started = w.tracker.Fingerprint()
	w.check.timeout, w.check.put = checkTimeout, w.checkNextStart
	return w
}

// onEvent notes that a component reads its files.
func (w *fileWatch) onEvent(e supervisor.Event) {
	switch before := e.Before.State; {
	case e.State == supervisor.Starting && (before == supervisor.Waiting || before == supervisor.Restarting):
		w.tracker.Loaded(e.Component, drift.EachRun)
	case e.State == supervisor.Leading && before != supervisor.Leading:
		w.tracker.Loaded(e.Component, drift.EachTerm)
	}
}

// onReread notes that a file that was replaced is in force.
func (w *fileWatch) onReread(path string) { w.tracker.Reread(path) }

// onReload notes that the config file was read again, and which keys wait for a
// restart.
func (w *fileWatch) onReload(needRestart []string) {
	w.tracker.Loaded(plan.UsedByRun, drift.Once)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.needRestart = needRestart
}

// look notes in r which files have changed and what that means. Only then is it
// checked what a start would say, once for what the files hold.
func (w *fileWatch) look(ctx context.Context, r *status.Report, patience time.Duration) {
	r.Files = status.Files(w.tracker.Changes())
	w.mu.Lock()
	r.NeedRestart = w.needRestart
	w.mu.Unlock()
	now := w.tracker.Fingerprint()
	if now == w.started {
		return
	}
	last, at := w.check.known()
	if at.IsZero() || last.files != now {
		last, at = w.check.answer(ctx, patience)
	}
	if at.IsZero() || last.files != now {
		r.Late = append(r.Late, status.Late{Of: status.NextStart})
		return
	}
	r.NextStart = last.found
}

// checkNextStart makes the checks of a start that depend on files.
func (w *fileWatch) checkNextStart(ctx context.Context) checked {
	c := checked{files: w.tracker.Fingerprint()}
	p, err := w.next()
	if err != nil {
		c.found = []status.Foreseen{{Refused: true, Finding: connerr.OneLine(err)}}
		return c
	}
	defer p.Close()
	for _, f := range preflight.CheckFiles(ctx, p, preflight.Options{Now: time.Now()}) {
		c.found = append(c.found, status.Foreseen{Refused: f.IsError(), Finding: f.String()})
	}
	return c
}
