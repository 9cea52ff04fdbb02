// SPDX-License-Identifier: Apache-2.0

// Package lab holds the flags of the lab's three systemd units ("Kubernetes The
// Hard Way", chapter 8) as data: what each was, what it is in today's
// Kubernetes, since when and why. `run`, `khw-controller flags`, the
// documentation and the tests all read this one table.
//
// Old spellings come in wherever a component flag is accepted and leave
// translated; nothing here knows how a component parses its flags.
package lab

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

// Fate is what became of a lab flag in today's Kubernetes.
type Fate string

// The fates of a flag.
const (
	Kept       Fate = "kept"       // means what it meant
	Deprecated Fate = "deprecated" // still parsed, on its way out
	Renamed    Fate = "renamed"    // same meaning under another name
	Changed    Fate = "changed"    // same name, its value had to change
	Ignored    Fate = "ignored"    // has become meaningless; accepted and dropped
	Added      Fate = "added"      // not in the lab; needed or chosen today
)

// Flag is one row of the table.
type Flag struct {
	// Component is whose flag it is.
	Component Component `json:"component"`
	// Name is the lab's spelling without the dashes; for added flags today's.
	Name string `json:"name"`
	// Value is the lab's value, ${INTERNAL_IP} included; empty for added flags.
	Value string `json:"value"`
	// Today is the name in today's Kubernetes; empty when it is gone.
	Today string `json:"today"`
	// TodayValue is the value in today's form, with the lab's paths.
	TodayValue string `json:"todayValue"`
	// Fate is what became of the flag.
	Fate Fate `json:"fate"`
	// Since is the Kubernetes release in which that happened.
	Since string `json:"since,omitempty"`
	// Why says in a sentence why it differs from the lab.
	Why string `json:"why,omitempty"`
}

// Table returns the lab's flags unit by unit and in the lab's order, each
// unit's followed by the flags added to it.
func Table() []Flag {
	var all []Flag
	for _, unit := range [][]Flag{apiServerFlags, controllerManagerFlags, schedulerFlags} {
		all = append(all, unit...)
	}
	return all
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
