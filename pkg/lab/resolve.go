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
}

// Resolve returns the flags of a component in the lab's order, the user's own
// after them. Overrides beat the lab's values; a later override beats an earlier
// one of another source, and repeats of one source are all kept, because some
// flags are lists. notices are lines for the user about old spellings.
func Resolve(c Component, v Values, overrides []Override) (settings []Setting, notices []string, err error) {
	mine, notices, err := translateAll(c, overrides)
	if err != nil {
		return nil, nil, err
	}
	used := map[string]bool{}
	for _, f := range Flags(c) {
		if f.Current == "" || used[f.Current] {
			continue
		}
		used[f.Current] = true
		if set := inForce(mine, f.Current); len(set) > 0 {
			settings = append(settings, set...)
			continue
		}
		source := FromLab
		if f.Status == Added {
			source = FromAdded
		}
		settings = append(settings, Setting{Arg{f.Current, v.expand(f.CurrentValue), true}, source})
	}
	for _, o := range mine {
		if !used[o.Name] {
			used[o.Name] = true
			settings = append(settings, inForce(mine, o.Name)...)
		}
	}
	return settings, notices, nil
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
		if before, ok := typed[t.Name]; ok && before.Source == o.Source && before.Name != o.Name && before.Value != o.Value {
			return nil, nil, fmt.Errorf("%s --%s=%s and --%s=%s are one flag with two values; remove one", c, before.Name, before.Value, o.Name, o.Value)
		}
		typed[t.Name] = o
		mine = append(mine, Override{t, o.Source})
	}
	return mine, notices, nil
}

// inForce returns the overrides of one flag that count: all of the last source.
func inForce(overrides []Override, name string) []Setting {
	var set []Setting
	for _, o := range overrides {
		if o.Name != name {
			continue
		}
		if len(set) > 0 && set[0].Source != o.Source {
			set = nil
		}
		set = append(set, Setting(o))
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
