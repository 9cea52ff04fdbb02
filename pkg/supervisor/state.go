// SPDX-License-Identifier: Apache-2.0

package supervisor

import "time"

// State is what a component is doing.
type State string

// The states of a component, in the order of an ordinary life.
const (
	Waiting    State = "waiting"    // for a component it needs
	Starting   State = "starting"   // runs, but cannot be used yet
	Running    State = "running"    // up
	Standby    State = "standby"    // up, another replica leads
	Leading    State = "leading"    // up, and holds the lease
	Restarting State = "restarting" // failed, runs again after a pause
	Stopping   State = "stopping"   // asked to stop
	Stopped    State = "stopped"    // ended as asked
	Failed     State = "failed"     // ended on its own, for good
)

// Up reports whether others can rely on a component in this state.
func (s State) Up() bool {
	return s == Running || s == Standby || s == Leading
}

// Ended reports whether a component in this state will not run again.
func (s State) Ended() bool {
	return s == Stopped || s == Failed
}

// Status is what is known of one component.
type Status struct {
	// Component is its name.
	Component string `json:"component"`
	// Accessory tells that the control plane is ready without it.
	Accessory bool `json:"accessory,omitempty"`
	// State is what it is doing.
	State State `json:"state"`
	// Detail explains State in words, or is empty.
	Detail string `json:"detail,omitempty"`
	// Since is when it came into State.
	Since time.Time `json:"since"`
	// Restarts counts how often it was started again.
	Restarts int `json:"restarts"`
	// LastFailure is the reason of the last failure, or empty.
	LastFailure string `json:"lastFailure,omitempty"`
	// Unhealthy is why an up component does not work at present, or empty.
	Unhealthy string `json:"unhealthy,omitempty"`
}

// Event is one change of one component, with its status after the change.
type Event struct {
	Status
	// Before is the status before it.
	Before Status
}
