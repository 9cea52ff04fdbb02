// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// verifyEvery is the longest pause between two verifications.
const verifyEvery = time.Second

// baseline goes through the verification before anything is changed: what fails
// already is no reason to go back later. An apiserver that does not answer is.
func (a *Adopter) baseline(ctx context.Context) error {
	config, done, err := a.candidate()
	if err != nil {
		return err
	}
	defer done()
	failed, err := a.Verify(ctx, config)
	if err != nil {
		return err
	}
	if why, no := failed[serves]; no {
		return fmt.Errorf("this controller does not serve, and adopt takes over one that does: %s", why)
	}
	a.record.Failing = slices.Sorted(maps.Keys(failed))
	for _, step := range a.record.Failing {
		a.tell("not as in the lab before: %s: %s", step, failed[step])
	}
	return nil
}

// candidate is the config file that will be in force, in a temporary place where it is
// not written yet.
func (a *Adopter) candidate() (path string, done func(), err error) {
	data := []byte(a.record.Config.Content)
	what, err := placeFor(a.ConfigPath, data, a.record)
	if err != nil || what == placeThere {
		return a.ConfigPath, func() {}, err
	}
	dir, err := os.MkdirTemp("", "khw-adopt-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, filepath.Base(a.ConfigPath))
	return path, func() { os.RemoveAll(dir) }, os.WriteFile(path, data, 0o600)
}

// verify wants nothing to fail that did not fail before, within the time.
func (a *Adopter) verify(ctx context.Context) error {
	return a.until(ctx, func(failed map[string]string) error {
		for _, step := range slices.Sorted(maps.Keys(failed)) {
			if !slices.Contains(a.record.Failing, step) {
				return fmt.Errorf("the verification of %s failed: %s", step, failed[step])
			}
		}
		return nil
	})
}

// awaitServing waits for the apiserver to answer again.
func (a *Adopter) awaitServing(ctx context.Context) error {
	return a.until(ctx, func(failed map[string]string) error {
		if why, no := failed[serves]; no {
			return errors.New(why)
		}
		return nil
	})
}

// until repeats the verification until it is as wanted.
func (a *Adopter) until(ctx context.Context, wanted func(failed map[string]string) error) error {
	deadline := time.Now().Add(a.Timeout)
	for {
		failed, err := a.Verify(ctx, a.ConfigPath)
		if err == nil {
			if err = wanted(failed); err == nil {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(verifyEvery, a.Timeout)):
		}
	}
}
