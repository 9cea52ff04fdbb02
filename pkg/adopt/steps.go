// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// step is one part of an adoption. Both directions may be taken again at any time:
// whoever finds that it was begun does it once more, or undoes it.
type step struct {
	name string
	// does and undoes are what is told.
	does, undoes string
	do, undo     func(context.Context) error
}

// Steps whose names others refer to.
const (
	stepConfig = "config"
	stepCheck  = "check"
)

// steps are all of an adoption, in order. The apiserver
// is the last of the old units to stop: what needs it is gone by then, and load
// balancers have seen health checks fail while it still serves.
func (a *Adopter) steps() []step {
	all := []step{
		{stepConfig, "writing " + a.ConfigPath, "putting back " + a.ConfigPath,
			func(context.Context) error { return a.writeConfig() },
			func(context.Context) error { return a.removeConfig() }},
		{"owners", "", "giving files back", a.giveFiles, func(context.Context) error { return a.takeFilesBack() }},
		{stepCheck, "", "", a.check, nil},
		a.replaced(unitOf(lab.Scheduler)),
		a.replaced(unitOf(lab.ControllerManager)),
	}
	all = append(all, a.healthOff()...)
	api := a.replaced(unitOf(lab.APIServer))
	startAgain := api.undo
	api.undo = func(ctx context.Context) error { return errors.Join(startAgain(ctx), a.awaitServing(ctx)) }
	all = append(all, api, step{"start", "starting " + OwnUnit, "stopping " + OwnUnit, a.start, a.stopOwn})
	if a.record.Health == KeepNginx {
		all = append(all, step{"site again", "enabling nginx's site for health checks again", "disabling nginx's site for health checks", a.enableSites, a.disableSites})
	}
	return append(all, step{"verify", "verifying", "", a.verify, nil})
}

// replaced is the step that takes a unit away.
func (a *Adopter) replaced(name string) step {
	return step{name, "stopping " + name, "starting " + name,
		func(ctx context.Context) error { return a.takeAway(ctx, name) },
		func(ctx context.Context) error { return a.bringBack(ctx, name) }}
}

func (a *Adopter) takeAway(ctx context.Context, name string) error {
	if a.record.unit(name).Enabled == "enabled" {
		if err := a.Manager.Disable(ctx, name); err != nil {
			return err
		}
	}
	return a.Manager.Stop(ctx, name)
}

func (a *Adopter) bringBack(ctx context.Context, name string) error {
	was := a.record.unit(name)
	if was.Enabled == "enabled" {
		if err := a.Manager.Enable(ctx, name); err != nil {
			return err
		}
	}
	if was.Active == "active" {
		return a.Manager.Start(ctx, name)
	}
	return nil
}

// healthOff has health checks fail, and waits until load balancers have noticed.
func (a *Adopter) healthOff() []step {
	drain := step{"drain", fmt.Sprintf("waiting %s for load balancers to send nobody here", a.Drain), "", a.drain, nil}
	switch a.record.Health {
	case NoNginx:
		return nil
	case StopNginx:
		return []step{a.replaced(nginxUnit), drain}
	}
	return []step{{"site", "disabling nginx's site for health checks", "enabling nginx's site for health checks", a.disableSites, a.enableSites}, drain}
}

func (a *Adopter) drain(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(a.Drain):
		return nil
	}
}

func (a *Adopter) disableSites(ctx context.Context) error {
	for _, s := range a.record.Sites {
		if err := os.Remove(s.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return a.Manager.Reload(ctx, nginxUnit)
}

func (a *Adopter) enableSites(ctx context.Context) error {
	for _, s := range a.record.Sites {
		if err := os.Symlink(s.Target, s.Path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return a.Manager.Reload(ctx, nginxUnit)
}

// start starts the new unit, which returns when the control plane is ready.
func (a *Adopter) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.Timeout, fmt.Errorf("it is not ready after %s", a.Timeout))
	defer cancel()
	if a.record.unit(OwnUnit).Enabled != "enabled" {
		if err := a.Manager.Enable(ctx, OwnUnit); err != nil {
			return err
		}
	}
	return a.Manager.Start(ctx, OwnUnit)
}

func (a *Adopter) stopOwn(ctx context.Context) error {
	if a.record.unit(OwnUnit).Enabled != "enabled" {
		if err := a.Manager.Disable(ctx, OwnUnit); err != nil {
			return err
		}
	}
	if err := a.Manager.Stop(ctx, OwnUnit); err != nil {
		return err
	}
	for _, path := range a.record.Made {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// check makes the checks of a start as the service will, before anything is stopped.
func (a *Adopter) check(ctx context.Context) error {
	found, err := a.Check(ctx, a.insteadOf())
	if err != nil {
		return err
	}
	if len(found.Stops) > 0 {
		return fmt.Errorf("%s would not start:\n%s", OwnUnit, strings.Join(found.Stops, "\n"))
	}
	return nil
}
