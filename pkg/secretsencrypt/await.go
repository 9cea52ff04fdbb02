// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/pkg/encryption"
)

// complete returns the reports of all controllers; one that is missing is an error. A
// controller that has just become ready reports a moment later, and is waited for.
func (r *Rotator) complete(ctx context.Context) ([]Report, error) {
	said := false
	for begun := time.Now(); ; {
		found, err := readReports(ctx, r.Client, r.Controllers, time.Now())
		if err != nil {
			return nil, err
		}
		all, problem := found.counting(), ""
		switch missing := found.missing(); {
		case len(missing) > 0:
			problem = missing[0] + "; then run this again"
		case len(all) == 0:
			problem = "no controller has reported its encryption configuration: start khw-controller, and run this again"
		default:
			return all, nil
		}
		if time.Since(begun) >= r.pace.report {
			return nil, errors.New(problem)
		}
		if !said {
			r.Say("waiting a moment for all controllers to report")
			said = true
		}
		if err := sleep(ctx, r.pace.poll); err != nil {
			return nil, err
		}
	}
}

// equal wants all controllers to have the same configuration in force as is here.
func (r *Rotator) equal(ctx context.Context, data []byte) ([]Report, error) {
	all, err := r.complete(ctx)
	if err != nil {
		return nil, err
	}
	hash := encryption.Hash(data)
	for _, c := range all {
		switch {
		case c.File != hash:
			return nil, fmt.Errorf("%s has another encryption configuration in its file than %s here: copy the right one to all controllers, restart those that got it, and run this again", c.Controller, r.Path)
		case c.InForce != hash:
			return nil, fmt.Errorf("%s has another encryption configuration in force than in its file: restart khw-controller there, and run this again", c.Controller)
		}
	}
	return all, nil
}

// awaitAll waits until every controller has the phase's configuration in its file and
// in force. One that cannot follow, or does not report, is an error.
func (r *Rotator) awaitAll(ctx context.Context, rotation *Rotation) error {
	has := func(c Report) bool { return c.File == rotation.To && c.InForce == rotation.To }
	begun := time.Now()
	troubled := map[string]time.Time{}
	for {
		all, err := r.complete(ctx)
		if err != nil {
			return err
		}
		waiting := slices.DeleteFunc(slices.Clone(all), has)
		if len(waiting) == 0 {
			r.Say("%s: %s on %s", rotation.Target.Short(), rotation.Phase, names(all))
			return nil
		}
		for _, c := range waiting {
			switch {
			case c.Problem == "" || c.Phase != rotation.Phase:
				delete(troubled, c.Address)
			case troubled[c.Address].IsZero():
				troubled[c.Address] = time.Now()
			case time.Since(troubled[c.Address]) >= r.pace.problem:
				return lags(c, rotation)
			}
		}
		if time.Since(begun) > r.pace.takeover {
			return lags(waiting[0], rotation)
		}
		if err := sleep(ctx, r.pace.poll); err != nil {
			return err
		}
	}
}

// lags says why a controller does not have the phase's configuration.
func lags(c Report, rotation *Rotation) error {
	switch {
	case c.Problem != "" && c.Phase == rotation.Phase:
		return fmt.Errorf("%s cannot follow: %s; then run this again", c.Controller, c.Problem)
	case c.File == rotation.To:
		return fmt.Errorf("%s has the configuration in its file but not in force: see its log, restart khw-controller there, and run this again", c.Controller)
	}
	return fmt.Errorf("%s has not taken the configuration over: see its log, and run this again", c.Controller)
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
