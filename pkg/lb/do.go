// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"errors"
	"time"
)

// errDifferent is of a creation that somebody else was faster with.
var errDifferent = errors.New("somebody else has made it meanwhile, and differently; the same command plans anew")

// do carries out one step. It can be repeated: what an earlier run whose end was
// not seen has made or deleted is as good.
func (p *Plan) do(ctx context.Context, s *Step) error {
	switch s.Action {
	case Create:
		return p.create(ctx, s.resource.(Creator))
	case Update:
		return p.whileBusy(ctx, func() error { return s.resource.(Updater).Update(ctx) })
	case Delete:
		err := p.whileBusy(ctx, func() error { return s.resource.(Deleter).Delete(ctx) })
		if p.cloud.Classify(err) == ErrorNotFound {
			return nil
		}
		return err
	}
	return nil
}

// create adopts what is there already: the answer to an earlier attempt got lost,
// or somebody else has made the same.
func (p *Plan) create(ctx context.Context, r Creator) error {
	return p.whileBusy(ctx, func() error {
		err := r.Create(ctx)
		if p.cloud.Classify(err) != ErrorExists {
			return err
		}
		state, readErr := r.Read(ctx)
		switch {
		case readErr != nil:
			return readErr
		case state.Problem != "":
			return errors.New(state.Problem)
		case !state.Exists:
			return &unseen{err}
		case len(state.Changes) == 0:
			return nil
		}
		if u, updates := r.(Updater); updates && state.Ours {
			return u.Update(ctx) // The earlier attempt got half-way.
		}
		return errDifferent
	})
}

// unseen is the error of a creation that collides with what no reading shows:
// it is being deleted, or was just made.
type unseen struct{ error }

func (u *unseen) Unwrap() error { return u.error }

// whileBusy repeats an attempt as long as it fails for something that passes.
func (p *Plan) whileBusy(ctx context.Context, attempt func() error) error {
	pace := p.cloud.Pace()
	deadline := time.Now().Add(pace.Patience)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := attempt()
		var hidden *unseen
		busy := errors.As(err, &hidden) || p.cloud.Classify(err) == ErrorBusy
		if !busy || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Pause):
		}
	}
}
