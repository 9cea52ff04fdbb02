// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// Phase is how far a rotation is on one controller.
type Phase string

// The phases, in their order.
const (
	NotRotating Phase = "none"
	// Copied is when what takes the place is there, and is not trusted yet.
	Copied Phase = "copied"
	// Trusting is when both are trusted, and the old one signs.
	Trusting Phase = "trusting"
	// Signing is when both are trusted, and the next one signs.
	Signing Phase = "signing"
	// Finished is when only the next one is trusted, and its files are still to be
	// removed.
	Finished Phase = "finished"
)

// Edit is one file that a step of a rotation changes.
type Edit struct {
	Path string `json:"path"`
	// Made tells that there is none yet.
	Made bool   `json:"made"`
	What string `json:"what"`
}

// Change is one step of a rotation on this controller: all of it is put in place, or
// nothing.
type Change struct {
	// Phase is the one it leads to.
	Phase Phase
	Edits []Edit
	// Left are what stays as it is, each with the reason.
	Left []string

	plan   *plan.Plan
	files  []atomicfiles.File
	remove []string
	// claim are files that somebody has copied here, and that are the service's.
	claim []string
}

func (c *Change) add(f atomicfiles.File, what string) {
	c.Edits = append(c.Edits, Edit{f.Path, !f.Replace, what})
	c.files = append(c.files, f)
}

// replace gives a file a new content, once more if it had one.
func (c *Change) replace(path string, data []byte, what string) error {
	f, err := replacement(path, data)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(c.files, func(o atomicfiles.File) bool { return o.Path == f.Path }); i >= 0 {
		c.files[i].Data = data
		c.Edits[i].What += ", " + what
		return nil
	}
	c.add(f, what)
	c.Edits[len(c.Edits)-1].Path = path
	return nil
}

// has reports whether a file, or what a link leads to, is given a new content.
func (c *Change) has(path string) bool {
	f, err := replacement(path, nil)
	return err == nil && slices.ContainsFunc(c.files, func(o atomicfiles.File) bool { return o.Path == f.Path })
}

// pending is what a file will hold; else what it holds.
func (c *Change) pending(path string, now []byte) []byte {
	f, err := replacement(path, nil)
	i := slices.IndexFunc(c.files, func(o atomicfiles.File) bool { return o.Path == f.Path })
	if err != nil || i < 0 {
		return now
	}
	return c.files[i].Data
}

// Write does it. Interrupted, it is done again from the start, or finished by who
// finds its journal.
func (c *Change) Write(now time.Time) error {
	for _, path := range c.claim {
		if err := claim(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(c.files) > 0 {
		made, err := inventory.Read(c.plan.Path(paths.Inventory))
		if err != nil {
			return err
		}
		if err := write(c.plan, made, c.files, now); err != nil {
			return err
		}
	}
	step("written")
	for _, path := range c.remove {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("all but the last is done: %w", err)
		}
		step("removed " + filepath.Base(path))
	}
	if len(c.remove) > 0 {
		return atomicfiles.SyncDir(filepath.Dir(c.remove[0]))
	}
	return nil
}

// claim gives a file to whom its directory belongs to, and keeps it from others: a key
// may have been copied by root, and for all to read.
func claim(path string) error {
	if err := os.Chmod(path, 0o600); err != nil || os.Geteuid() != 0 {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner, ok := dir.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

// step is called between the steps of a Write; tests end it there.
var step = func(string) {}
