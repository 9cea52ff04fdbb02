// SPDX-License-Identifier: Apache-2.0

// Package lab holds the flags of the lab's three systemd units ("Kubernetes The
// Hard Way", chapter 8) as data: what each was, what it is in today's
// Kubernetes, since when and why. `run`, `khw-controller flags`, the
// documentation and the tests all read this one table.
//
// Old spellings come in wherever a component flag is accepted and leave
// translated; nothing here knows how a component parses its flags.
package lab

import "cmp"

// Component is one of the three programs of chapter 8.
type Component string

// The lab's components, under the names of their binaries and units.
const (
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
	Scheduler         Component = "kube-scheduler"
)

// Components lists them in the lab's order.
func Components() []Component { return []Component{APIServer, ControllerManager, Scheduler} }

// Status is what became of a lab flag in today's Kubernetes.
type Status string

// The statuses of a flag.
const (
	Kept       Status = "kept"       // means what it meant
	Deprecated Status = "deprecated" // still parsed, on its way out
	Renamed    Status = "renamed"    // same meaning under another name
	Changed    Status = "changed"    // same name, its value had to change
	Ignored    Status = "ignored"    // has become meaningless; accepted and dropped
	Added      Status = "added"      // not in the lab; needed or chosen today
	Refused    Status = "refused"    // gone, and what the value asks for cannot be had
	Unset      Status = "unset"      // given up by the user
	Replaced   Status = "replaced"   // given up for a flag that Kubernetes does not accept beside it
)

// Flag is one row of the table.
type Flag struct {
	// Component is whose flag it is.
	Component Component `json:"component"`
	// Name is the lab's spelling without the dashes; for added flags today's.
	Name string `json:"name"`
	// Value is the lab's value, ${INTERNAL_IP} included; empty for added flags.
	Value string `json:"value"`
	// Current is the name in today's Kubernetes; empty when it is gone.
	Current string `json:"current"`
	// CurrentValue is the value in today's form, with the lab's paths.
	CurrentValue string `json:"currentValue"`
	// Status is what became of the flag.
	Status Status `json:"status"`
	// Since is the Kubernetes release in which that happened.
	Since string `json:"since,omitempty"`
	// Seen is the newest release of Kubernetes whose own flags the table was compared
	// with and that has the flag, under its current name where it has one.
	Seen string `json:"seen,omitempty"`
	// Why says in a sentence why it differs from the lab.
	Why string `json:"why,omitempty"`
}

// Table returns the lab's flags unit by unit and in the lab's order, each
// unit's followed by the flags added to it.
func Table() []Flag {
	var all []Flag
	for _, unit := range [][]Flag{apiServerFlags, controllerManagerFlags, schedulerFlags} {
		for _, f := range unit {
			f.Seen = seenIn(f.Component, cmp.Or(f.Current, f.Name))
			all = append(all, f)
		}
	}
	return all
}

// Value returns the lab's value of a component's flag, both in today's form, or "" where
// the lab has no such flag.
func Value(c Component, name string) string {
	for _, f := range Flags(c) {
		if f.Current == name {
			return f.CurrentValue
		}
	}
	return ""
}

// Flags returns the rows of one component.
func Flags(c Component) []Flag {
	var rows []Flag
	for _, f := range Table() {
		if f.Component == c {
			rows = append(rows, f)
		}
	}
	return rows
}
