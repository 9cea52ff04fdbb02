// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Adopter puts khw-controller in the place of a controller's units, and goes back.
type Adopter struct {
	Manager Manager
	Store   Store
	// ConfigPath is where khw-controller.yaml goes.
	ConfigPath string
	// Own are files that the service makes for itself and that nobody misses.
	Own []string
	// UID is that of the service's user.
	UID int
	// Check says what would keep the service from running, with the units not running
	// that it replaces, and which files it would have to be given for that.
	Check func(ctx context.Context, insteadOf []string) (Findings, error)
	// Verify goes through the lab's verification with a config file, and returns why
	// each step failed, by the step's name.
	Verify func(ctx context.Context, config string) (failed map[string]string, err error)
	// Drain is how long load balancers are given to notice that health checks fail.
	Drain time.Duration
	// Timeout is how long the new control plane may take to be ready, and once more to
	// be verified.
	Timeout time.Duration
	// Told is called with what is done, one line each.
	Told func(string)

	record *Record
	chown  func(path string, uid int) error
}

// Findings are what the service's own checks say.
type Findings struct {
	// Stops are the reasons for which it would not start at once.
	Stops []string
	// Denied are the files that its user may not read or write.
	Denied []string
}

func (a *Adopter) tell(format string, args ...any) { a.Told(fmt.Sprintf(format, args...)) }

func (a *Adopter) save() error { return a.Store.Save(a.record) }

// load reads the record.
func (a *Adopter) load() (err error) {
	if a.chown == nil {
		a.chown = func(path string, uid int) error { return os.Lchown(path, uid, -1) }
	}
	a.record, err = a.Store.Load()
	return err
}

// Interrupted reports whether an adoption was begun and neither ended nor gone back
// from, or an undo.
func (a *Adopter) Interrupted() (State, error) {
	if err := a.load(); err != nil || a.record == nil {
		return "", err
	}
	return a.record.State, nil
}

// Write writes khw-controller.yaml and nothing else.
func (a *Adopter) Write(c *Controller) error {
	if err := a.load(); err != nil {
		return err
	}
	switch {
	case a.record == nil:
		a.record = &Record{At: time.Now(), State: Written, Config: ConfigFile{Path: a.ConfigPath}, ConfigFirst: true}
	case a.record.State != Written:
		return a.wrongState()
	}
	if _, err := placeFor(a.ConfigPath, c.Config, a.record); err != nil {
		return err
	}
	a.record.Config.Content = string(c.Config)
	a.begin(stepConfig)
	if err := a.save(); err != nil {
		return err
	}
	return a.writeConfig()
}

// wrongState is the error for a state in which nothing can be begun.
func (a *Adopter) wrongState() error {
	switch a.record.State {
	case Adopted:
		return fmt.Errorf("this controller was adopted on %s already; khw-controller adopt --undo goes back", a.record.At.UTC().Format(time.RFC3339))
	case Undoing:
		return errors.New("going back was interrupted; khw-controller adopt --undo finishes it")
	}
	return errors.New("an adoption was interrupted; khw-controller adopt --apply goes on with it, and --undo goes back")
}

// Apply adopts, or goes on with an adoption that was interrupted. When it fails, the
// controller is as it was, unless the error says otherwise. c may be nil when it goes
// on.
func (a *Adopter) Apply(ctx context.Context, c *Controller) error {
	if err := a.load(); err != nil {
		return err
	}
	if a.record != nil && (a.record.State == Adopted || a.record.State == Undoing) {
		return a.wrongState()
	}
	if a.record == nil || a.record.State == Written {
		if err := a.prepare(ctx, c); err != nil {
			return err
		}
	}
	if err := a.adopt(ctx); err != nil {
		return a.goBack(ctx, err)
	}
	a.record.State = Adopted
	return a.save()
}

// prepare records how everything is, and refuses what cannot be adopted. It changes
// nothing.
func (a *Adopter) prepare(ctx context.Context, c *Controller) error {
	r := &Record{At: time.Now(), State: Adopting, Config: ConfigFile{Path: a.ConfigPath}, Health: c.Health.Action}
	if a.record != nil {
		r.Config, r.Steps, r.ConfigFirst = a.record.Config, a.record.Steps, true
	}
	if _, err := placeFor(a.ConfigPath, c.Config, a.record); err != nil {
		return err
	}
	r.Config.Content = string(c.Config)
	own, err := a.Manager.Unit(ctx, OwnUnit)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: is not installed; install the package, which brings it", OwnUnit)
	}
	if err != nil {
		return err
	}
	if own.Active != "inactive" && own.Active != "failed" {
		return fmt.Errorf("%s is %s: this controller runs it already, and there is nothing to adopt", OwnUnit, own.Active)
	}
	all := append(slices.Clone(c.Units), own)
	for _, u := range c.Units {
		if u.Active != "active" {
			return fmt.Errorf("%s is %s; adopt takes over a controller that works: start it first, or start %s by hand", u.Name, u.Active, OwnUnit)
		}
	}
	if c.Nginx != nil {
		all = append(all, *c.Nginx)
	}
	for _, u := range all {
		r.Units = append(r.Units, UnitState{u.Name, u.Active, u.Enabled})
	}
	for _, path := range c.Health.links {
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		r.Sites = append(r.Sites, Site{path, target})
	}
	for _, path := range a.Own {
		if !exists(path) {
			r.Made = append(r.Made, path)
		}
	}
	a.record = r
	return a.baseline(ctx)
}

// serves is the step of the verification that says that the apiserver answers.
const serves = "version"

// adopt takes all steps.
func (a *Adopter) adopt(ctx context.Context) error {
	for _, s := range a.steps() {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := a.beginAndSave(s.name); err != nil {
			return err
		}
		if s.does != "" {
			a.tell("%s", s.does)
		}
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *Adopter) begin(step string) {
	if !slices.Contains(a.record.Steps, step) {
		a.record.Steps = append(a.record.Steps, step)
	}
}

func (a *Adopter) beginAndSave(step string) error {
	a.begin(step)
	return a.save()
}

// goBack undoes what was begun, after a failure. What was written by a call of its
// own stays.
func (a *Adopter) goBack(ctx context.Context, why error) error {
	a.tell("going back: %v", why)
	ctx = context.WithoutCancel(ctx)
	keep := ""
	if a.record.ConfigFirst {
		keep = stepConfig
	}
	if err := a.undo(ctx, keep); err != nil {
		return fmt.Errorf("%w\ngoing back failed, too: %w; correct that, then: khw-controller adopt --undo", why, err)
	}
	return fmt.Errorf("%w\nthe controller is as it was", why)
}

// Undo restores the controller as it was before it was adopted.
func (a *Adopter) Undo(ctx context.Context) error {
	if err := a.load(); err != nil {
		return err
	}
	if a.record == nil {
		return fmt.Errorf("%s: nothing was adopted here, so there is nothing to undo", a.Store.Dir)
	}
	return a.undo(ctx, "")
}

// undo undoes the steps that were begun, the last one first; it goes on after an
// error, and forgets the steps that were undone.
func (a *Adopter) undo(ctx context.Context, keep string) error {
	a.record.State = Undoing
	if err := a.save(); err != nil {
		return err
	}
	var failed []string
	var errs []error
	steps := a.steps()
	for _, name := range slices.Backward(slices.Clone(a.record.Steps)) {
		i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
		if i < 0 || steps[i].undo == nil || name == keep {
			continue
		}
		if steps[i].undoes != "" {
			a.tell("%s", steps[i].undoes)
		}
		if err := steps[i].undo(ctx); err != nil {
			errs, failed = append(errs, err), append(failed, name)
			continue
		}
		a.record.Steps = slices.DeleteFunc(a.record.Steps, func(s string) bool { return s == name })
		if err := a.save(); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		slices.Reverse(failed)
		a.record.Steps = failed
		return errors.Join(append(errs, a.save())...)
	}
	if keep == "" {
		return a.Store.Remove()
	}
	a.record = &Record{At: a.record.At, State: Written, Steps: []string{keep}, Config: a.record.Config, ConfigFirst: true}
	return a.save()
}

// insteadOf are the units that are stopped, without their suffix.
func (a *Adopter) insteadOf() []string {
	var names []string
	for _, c := range lab.Components() {
		names = append(names, string(c))
	}
	if a.record.Health == StopNginx || a.record.Health == DisableSite {
		names = append(names, strings.TrimSuffix(nginxUnit, filepath.Ext(nginxUnit)))
	}
	return names
}
