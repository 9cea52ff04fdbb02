// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"strings"
)

// Arg is one flag as somebody typed it.
type Arg struct {
	Name  string // without dashes, in today's spelling of separators
	Value string
	// HasValue reports whether there was a `=`: `--name=` is not `--name`.
	HasValue bool
	// Unset reports whether it was `name-`: the flag is not to be passed on.
	Unset bool
}

// ParseArg reads `name=value`, `name`, `name-`, and all with leading dashes.
// Underscores become dashes, as in every Kubernetes component.
func ParseArg(s string) Arg {
	name, value, has := strings.Cut(strings.TrimLeft(s, "-"), "=")
	a := Arg{Value: value, HasValue: has}
	if !has {
		name, a.Unset = strings.CutSuffix(name, "-")
	}
	a.Name = strings.ReplaceAll(name, "_", "-")
	return a
}

// String returns the argument as it is passed on, or as it was typed for one
// that is not.
func (a Arg) String() string {
	switch {
	case a.Unset:
		return "--" + a.Name + "-"
	case a.HasValue:
		return "--" + a.Name + "=" + a.Value
	}
	return "--" + a.Name
}

// translate turns an argument into today's form. keep is false when nothing is
// left of it; notice says in one line what was done, if anything was.
func translate(c Component, a Arg) (out Arg, keep bool, notice string, err error) {
	r, gone := removed(c, a.Name)
	switch {
	case gone && a.Unset:
		return r.unset(a)
	case gone:
		return r.apply(a)
	}
	change, ok := changedValues[c][a.Name]
	if !ok || a.Unset {
		return a, true, "", nil
	}
	out, why := a, ""
	out.Value, why = change(a.Value)
	if out.Value == a.Value {
		return a, true, "", nil
	}
	return out, out.Value != "", fmt.Sprintf("%s --%s: %s", c, a.Name, why), nil
}

// unset gives up what the flag is today.
func (r Removed) unset(a Arg) (out Arg, keep bool, notice string, err error) {
	if out = a; r.Current != "" {
		out.Name = r.Current
		return out, true, "", nil
	}
	return a, false, fmt.Sprintf("%s --%s was removed in %s; there is nothing to unset", r.Component, r.Name, r.Release), nil
}
