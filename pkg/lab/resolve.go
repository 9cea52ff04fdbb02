// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Values are what the lab's placeholders stand for on this controller.
type Values struct {
	// Root is put before every lab path; empty for the lab's own paths.
	Root string
	// AdvertiseAddress replaces ${INTERNAL_IP}.
	AdvertiseAddress string
	// EtcdServers replaces the lab's three etcd URLs.
	EtcdServers []string
}

// Override is one component flag that a user set.
type Override struct {
	Arg
	// Source says where, e.g. "flag" or a file's name.
	Source string
	// Yields tells that it is a value below the user's, as the lab's are: it drops out
	// by itself where Kubernetes refuses it beside one of the user's.
	Yields bool
}

// Sources of settings that no user set.
const (
	FromLab   = "lab"
	FromAdded = "added"
)

// Setting is one flag of a component with the value in force.
type Setting struct {
	Arg
	// Source is FromLab, FromAdded or the Override's.
	Source string
	// Why says why a value of the lab is not the lab's own; else empty.
	Why string
}

// Dropped is a flag that had a value, the lab's or one of another source, and is
// not passed on.
type Dropped struct {
	// Name is the flag's name today.
	Name string
	// Source says where that was asked for, as an Override's does.
	Source string
	// Status is Unset or Replaced.
	Status Status
	// By is the flag that replaced it; empty for an unset one.
	By string
	// Why says why it was replaced; empty for an unset one.
	Why string
}

// Resolution is what a component runs with.
type Resolution struct {
	// Settings are its flags in the lab's order, the user's own after them.
	Settings []Setting
	// Dropped are the flags that are given up, in the same order.
	Dropped []Dropped
	// Notices are lines for the user about old spellings and what was unset in vain.
	Notices []string
}

// Resolve puts the overrides over the lab's values. A later override beats an
// earlier one of another source, and repeats of one source are all kept, because
// some flags are lists. An unset override drops what is below it; one of the
// lab's flags that Kubernetes refuses beside an override drops out by itself.
func Resolve(c Component, v Values, overrides []Override) (Resolution, error) {
	mine, notices, err := translateAll(c, overrides)
	if err != nil {
		return Resolution{}, err
	}
	r := Resolution{Notices: notices}
	used := map[string]bool{}
	for _, f := range Flags(c) {
		if f.Current == "" || used[f.Current] {
			continue
		}
		used[f.Current] = true
		if set := inForce(mine, f.Current); len(set) > 0 {
			r.add(c, set, mine)
			continue
		}
		r.addLab(c, f, v, mine)
	}
	for _, o := range mine {
		if used[o.Name] {
			continue
		}
		used[o.Name] = true
		if !anySet(mine, o.Name) {
			r.Notices = append(r.Notices, nothingToUnset(c, o.Name, mine))
			continue
		}
		r.add(c, inForce(mine, o.Name), mine)
	}
	return r, nil
}

// add takes over the overrides of one flag that are in force, out of all of them.
func (r *Resolution) add(c Component, set, mine []Override) {
	for _, o := range set {
		if o.Unset {
			r.Dropped = append(r.Dropped, Dropped{Name: o.Name, Source: o.Source, Status: Unset})
			return
		}
		s := Setting{Arg: o.Arg, Source: o.Source}
		if o.Yields && !r.yield(c, &s, mine) {
			return
		}
		r.Settings = append(r.Settings, s)
	}
}

// yield makes a value that no user set fit beside what the user did; false where it
// cannot.
func (r *Resolution) yield(c Component, s *Setting, mine []Override) bool {
	if d, ok := replacement(c, s.Name, mine); ok {
		r.Dropped = append(r.Dropped, d)
		return false
	}
	if c == APIServer && s.Name == enableAdmission {
		s.Value, s.Why = withoutDisabled(s.Value, inForce(mine, disableAdmission))
	}
	return true
}

// addLab takes over the lab's value of a flag, unless Kubernetes refuses it
// beside one of the overrides.
func (r *Resolution) addLab(c Component, f Flag, v Values, mine []Override) {
	source := FromLab
	if f.Status == Added {
		source = FromAdded
	}
	s := Setting{Arg: Arg{Name: f.Current, Value: v.expand(f.CurrentValue), HasValue: true}, Source: source}
	if r.yield(c, &s, mine) {
		r.Settings = append(r.Settings, s)
	}
}

func translateAll(c Component, overrides []Override) (mine []Override, notices []string, err error) {
	typed := map[string]Override{} // today's name → as typed
	for _, o := range overrides {
		t, keep, notice, err := translate(c, o.Arg)
		if err != nil {
			return nil, nil, err
		}
		if notice != "" {
			notices = append(notices, notice)
		}
		if !keep {
			continue
		}
		if before, ok := typed[t.Name]; ok && before.Source == o.Source {
			if err := compatible(c, before.Arg, o.Arg); err != nil {
				return nil, nil, err
			}
		}
		typed[t.Name] = o
		mine = append(mine, Override{t, o.Source, o.Yields})
	}
	return mine, notices, nil
}

// compatible is an error for two arguments for one flag, from one source, that
// cannot both be meant.
func compatible(c Component, before, after Arg) error {
	switch {
	case before.Unset != after.Unset:
		return fmt.Errorf("%s %s and %s both set and unset one flag; remove one", c, before, after)
	case before.Name != after.Name && before.Value != after.Value:
		return fmt.Errorf("%s %s and %s are one flag with two values; remove one", c, before, after)
	}
	return nil
}

// inForce returns the overrides of one flag that count: all of the last source.
func inForce(overrides []Override, name string) []Override {
	var set []Override
	for _, o := range overrides {
		if o.Name != name {
			continue
		}
		if len(set) > 0 && set[0].Source != o.Source {
			set = nil
		}
		set = append(set, o)
	}
	return set
}

// Argv returns settings as a command line.
func Argv(settings []Setting) []string {
	argv := make([]string, 0, len(settings))
	for _, s := range settings {
		argv = append(argv, s.String())
	}
	return argv
}

// Get returns the last value of a flag among settings, or "".
func Get(settings []Setting, name string) string {
	found := ""
	for _, s := range settings {
		if s.Name == name {
			found = s.Value
		}
	}
	return found
}

func (v Values) expand(value string) string {
	switch {
	case value == internalIP:
		return v.AdvertiseAddress
	case value == etcdServers:
		return strings.Join(v.EtcdServers, ",")
	case v.Root != "" && strings.HasPrefix(value, "/"):
		return filepath.Join(v.Root, value)
	}
	return value
}

// LookUpCallersWith has settings name the kubeconfig and the CA in force where
// they say how callers of the component's port are looked up, unless the user did.
func LookUpCallersWith(kubeconfig, ca string, settings []Setting) {
	for i, s := range settings {
		if s.Source != FromAdded {
			continue
		}
		switch s.Name {
		case authenticationKubeconfig, authorizationKubeconfig:
			settings[i].Value = kubeconfig
		case clientCA:
			settings[i].Value = ca
		}
	}
}
