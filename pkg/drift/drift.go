// SPDX-License-Identifier: Apache-2.0

// Package drift finds files that no longer hold what was loaded from them: a
// program goes on with what it has read, and nobody sees that until its next
// start. It is content that is compared; a file that was only touched is the same
// file. Looking at one that has not been written to takes a stat(2).
package drift

import "time"

// Reload is how a file is taken over that was replaced while it is in use.
type Reload string

// The ways to take a file over.
const (
	ByItself  Reload = "by itself" // whoever uses it notices
	OnHangup  Reload = "on SIGHUP"
	AtRestart Reload = "at a restart"
)

// Moment is when whoever uses a file reads it.
type Moment string

// The moments.
const (
	Once     Moment = "once" // for as long as the process lives, or until it is asked to
	EachRun  Moment = "run"  // whenever the component is started
	EachTerm Moment = "term" // whenever the component begins to lead
)

// Use is a file in use.
type Use struct {
	Path string
	// By is the component that uses it, Flag the flag that names it there.
	By, Flag string
	Reload   Reload
	Moment   Moment
}

// State is how a file differs from what was loaded.
type State string

// The states of a file that differs.
const (
	Replaced   State = "replaced"
	Added      State = "added" // it was not there
	Gone       State = "gone"
	Unreadable State = "unreadable"
)

// Change is a file in use that differs from what was loaded from it.
type Change struct {
	Use
	State State
	// At is when that became so; zero where the file does not say.
	At time.Time
	// Reason is why it cannot be read.
	Reason string
}
