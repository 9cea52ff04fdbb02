// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/component/flagset"
	"github.com/khw-controller/khw-controller/pkg/component/scheduler"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// flagSets make the components' own flags, which say what a value means.
var flagSets = map[lab.Component]func() (*pflag.FlagSet, error){
	lab.APIServer:         apiserver.Flags,
	lab.ControllerManager: controllermanager.Flags,
	lab.Scheduler:         scheduler.Flags,
}

// overrides reads a unit's arguments as its program does: flags of today, and all
// that were removed since the lab.
func overrides(c lab.Component, u Unit) ([]lab.Override, error) {
	fs, err := flagSets[c]()
	if err != nil {
		return nil, err
	}
	for _, r := range lab.RemovedFlags(c) {
		switch {
		case fs.Lookup(r.Name) != nil:
		case r.Bool:
			fs.Bool(r.Name, false, "")
		default:
			fs.String(r.Name, "", "")
		}
	}
	var all []lab.Override
	err = fs.ParseAll(u.argv, func(f *pflag.Flag, value string) error {
		all = append(all, lab.Override{Arg: lab.Arg{Name: f.Name, Value: value, HasValue: true}, Source: u.Name})
		return nil
	})
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &unknown):
		return nil, fmt.Errorf("%s: %w", u.where(), flagset.Explain(fs, err))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", u.where(), err)
	case fs.NArg() > 0:
		return nil, fmt.Errorf("%s: %q is not a flag of %s", u.where(), fs.Arg(0), c)
	}
	return all, nil
}

// difference is what a component's flag is that is not as in the lab.
type difference struct {
	flag lab.Arg
	lab  string // the lab's value; empty where it has none
}

// differences compares a unit's flags with the lab's, by what they mean to the
// component: `true` is no other value than none, nor is `1h0m0s` than `1h`. A flag of
// the lab's that the unit does not have is given up, unless the lab's value is the
// component's own.
func differences(c lab.Component, mine []lab.Override) (found []difference, notices []string, err error) {
	unit, err := lab.Resolve(c, lab.Values{}, mine)
	if err != nil {
		return nil, nil, err
	}
	standard, err := lab.Resolve(c, lab.Values{}, nil)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := meaning(c, standard.Settings, func(lab.Setting) bool { return true })
	if err != nil {
		return nil, nil, err
	}
	inUnit := func(s lab.Setting) bool { return s.Source != lab.FromLab && s.Source != lab.FromAdded }
	ours, err := meaning(c, unit.Settings, inUnit)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range unit.Settings {
		same := ours.Lookup(s.Name).Value.String() == theirs.Lookup(s.Name).Value.String()
		has := lab.Get(standard.Settings, s.Name)
		switch {
		case plan.IsProcessWide(s.Name), apart[s.Name], s.Source == lab.FromAdded:
		case s.Source == lab.FromLab && !same:
			found = append(found, difference{lab.Arg{Name: s.Name, Unset: true}, has})
		case s.Source != lab.FromLab && (!same || !isSet(standard.Settings, s.Name)):
			found = append(found, difference{s.Arg, has})
		}
	}
	return found, unit.Notices, nil
}

// apart are flags that have a key of their own.
var apart = map[string]bool{"advertise-address": true, "etcd-servers": true}

func isSet(all []lab.Setting, name string) bool {
	for _, s := range all {
		if s.Name == name {
			return true
		}
	}
	return false
}

// meaning sets a component's flags, and has them say what they have understood.
func meaning(c lab.Component, all []lab.Setting, counts func(lab.Setting) bool) (*pflag.FlagSet, error) {
	fs, err := flagSets[c]()
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		f := fs.Lookup(s.Name)
		switch {
		case f == nil:
			return nil, fmt.Errorf("%s has no flag --%s", c, s.Name)
		case plan.IsProcessWide(s.Name), apart[s.Name], !counts(s):
			// What holds for the process is set by nobody who only looks.
		default:
			if err := f.Value.Set(s.Value); err != nil {
				return nil, fmt.Errorf("%s --%s=%s: %w", c, s.Name, s.Value, err)
			}
		}
	}
	return fs, nil
}
