// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/drift"
)

// File is a file in use that does not hold any more what was loaded from it.
type File struct {
	Path  string      `json:"path"`
	State drift.State `json:"state"`
	// At is when that became so; zero where it is not known.
	At time.Time `json:"at,omitzero"`
	// Reason is why it cannot be read, or empty.
	Reason string `json:"reason,omitempty"`
	// Users are who go on with what it held before, each as component (flag).
	Users []string `json:"users"`
	// Reload is how it is put in force.
	Reload drift.Reload `json:"reload"`
}

// Files are what changes mean to whoever operates this: a file is there once, with
// all who go on with what it held. One that is taken over by itself is no news.
func Files(changes []drift.Change) []File {
	var files []File
	for _, c := range changes {
		if c.Reload == drift.ByItself && (c.State == drift.Replaced || c.State == drift.Added) {
			continue
		}
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == c.Path && f.State == c.State })
		if i < 0 {
			i = len(files)
			files = append(files, File{Path: c.Path, State: c.State, At: c.At, Reason: c.Reason, Reload: c.Reload})
		}
		f := &files[i]
		if user := c.By + " (" + c.Flag + ")"; !slices.Contains(f.Users, user) {
			f.Users = append(f.Users, user)
		}
		if c.Reload == drift.AtRestart {
			f.Reload = drift.AtRestart // which is more than a reload
		}
	}
	return files
}

// What to type to have a file taken over.
const (
	restart = "systemctl restart khw-controller"
	reload  = "systemctl reload khw-controller"
)

// String says what became of the file and what to do.
func (f File) String() string {
	use := "uses"
	if len(f.Users) > 1 {
		use = "use"
	}
	users := strings.Join(f.Users, ", ") + " " + use
	switch f.State {
	case drift.Gone:
		return fmt.Sprintf("%s is gone; %s what it held; put it back", f.Path, users)
	case drift.Unreadable:
		return fmt.Sprintf("%s cannot be read any more: %s; %s what it held; correct that", f.Path, f.Reason, users)
	}
	command := restart
	if f.Reload == drift.OnHangup {
		command = reload
	}
	when := ""
	if !f.At.IsZero() {
		when = " on " + f.At.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return fmt.Sprintf("%s was %s%s; %s what was there before; put it in force: %s", f.Path, f.State, when, users, command)
}

// ofFiles are the warnings about files in use.
func ofFiles(r *Report) []string {
	var warnings []string
	for _, f := range r.Files {
		warnings = append(warnings, f.String())
	}
	for _, f := range r.NextStart {
		if f.Refused {
			warnings = append(warnings, "the next start will be refused: "+f.Finding)
		} else {
			warnings = append(warnings, "the next start will warn: "+f.Finding)
		}
	}
	for _, key := range r.NeedRestart {
		warnings = append(warnings, fmt.Sprintf("%s has another value in the config file since the start; put it in force: %s", key, restart))
	}
	return warnings
}
