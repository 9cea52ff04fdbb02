// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"slices"
	"strconv"
)

// Removed is a flag that a component had in v1.10 or in a later release and that
// this Kubernetes does not know.
type Removed struct {
	Component Component
	// Name is the flag's, without dashes.
	Name string
	// Release is the Kubernetes release that removed it.
	Release string
	// Current is the flag that means the same in this Kubernetes; it gets the
	// value. Empty where there is none.
	Current string
	// Harmless are the values that lose nothing when the flag is left out;
	// anyValue for every one. All others are refused.
	Harmless []string
	// Bool reports whether the flag may stand without a value, which is true then.
	Bool bool
	// Why says what became of the flag and what to use instead.
	Why string
}

// anyValue as a harmless value stands for every value.
const anyValue = "*"

// removedFlags is the table of all of them, in the order of Components.
var removedFlags = slices.Concat(
	removedFrom(APIServer, apiServerRemoved), removedFrom(APIServer, logRemoved),
	removedFrom(ControllerManager, controllerManagerRemoved), removedFrom(ControllerManager, logRemoved),
	removedFrom(Scheduler, schedulerRemoved), removedFrom(Scheduler, logRemoved),
)

func removedFrom(c Component, rows []Removed) []Removed {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Component = c
	}
	return out
}

// RemovedFlags returns the removed flags of one component.
func RemovedFlags(c Component) []Removed {
	var rows []Removed
	for _, r := range removedFlags {
		if r.Component == c {
			rows = append(rows, r)
		}
	}
	return rows
}

func removed(c Component, name string) (Removed, bool) {
	i := slices.IndexFunc(removedFlags, func(r Removed) bool { return r.Component == c && r.Name == name })
	if i < 0 {
		return Removed{}, false
	}
	return removedFlags[i], true
}

// Status is what becomes of the flag with this value: Renamed, Ignored or Refused.
func (r Removed) Status(value string) Status {
	switch {
	case r.Current != "":
		return Renamed
	case slices.Contains(r.Harmless, anyValue), slices.Contains(r.Harmless, r.canonical(value)):
		return Ignored
	}
	return Refused
}

// canonical spells a boolean as the table does.
func (r Removed) canonical(value string) string {
	if b, err := strconv.ParseBool(value); r.Bool && err == nil {
		return strconv.FormatBool(b)
	}
	return value
}

// apply turns a removed flag into today's form. keep reports whether anything is
// left to pass on; notice says in one line what was done.
func (r Removed) apply(a Arg) (out Arg, keep bool, notice string, err error) {
	if r.Bool && !a.HasValue {
		a.Value = "true"
	}
	switch r.Status(a.Value) {
	case Renamed:
		out = a
		out.Name = r.Current
		return out, true, fmt.Sprintf("%s --%s was removed in %s and is --%s now; translated", r.Component, r.Name, r.Release, r.Current), nil
	case Ignored:
		return a, false, fmt.Sprintf("%s --%s was removed in %s and is ignored: %s", r.Component, r.Name, r.Release, r.Why), nil
	}
	return a, false, "", fmt.Errorf("%s --%s=%s cannot be honoured, the flag was removed in %s: %s", r.Component, r.Name, a.Value, r.Release, r.Why)
}
