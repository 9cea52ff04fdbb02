// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/config"
)

const configMode = 0o644

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// place is what writing a config file comes to.
type place int

const (
	placeNew     place = iota // there is none
	placeThere                // it is there, as it is to be or edited since
	placePackage              // the package's own is replaced, and kept
	placeStale                // what was written for other units is replaced
)

// placeFor says which. A file of anybody else's is an error.
func placeFor(path string, data []byte, r *Record) (place, error) {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return placeNew, nil
	}
	if err != nil {
		return 0, err
	}
	ours := r != nil && r.Config.Path == path && r.Config.Sum != ""
	switch {
	case bytes.Equal(old, data):
		return placeThere, nil
	case bytes.Equal(old, config.Example()):
		return placePackage, nil
	case ours && r.Config.Sum == sum(old):
		return placeStale, nil
	case ours:
		return placeThere, nil
	}
	return 0, fmt.Errorf("%s:%d: has settings already, and is not overwritten; move it away, or compare it with khw-controller adopt --dry-run",
		path, firstSetting(string(old)))
}

// firstSetting is the first line that is no comment, from 1.
func firstSetting(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return n
		}
	}
	return 1
}

// writeConfig writes it, and records what it replaces.
func (a *Adopter) writeConfig() error {
	path, data := a.record.Config.Path, []byte(a.record.Config.Content)
	what, err := placeFor(path, data, a.record)
	if err != nil || what == placeThere {
		return err
	}
	file := atomicfiles.File{Path: path, Mode: configMode, Data: data, Replace: what != placeNew, Discard: what == placeStale}
	at := atomicfiles.Unused([]atomicfiles.File{file}, time.Now())
	a.record.Config.Sum = sum(data)
	if what == placePackage {
		a.record.Config.Replaced = atomicfiles.Backup(path, at)
	}
	if err := a.save(); err != nil {
		return err
	}
	return atomicfiles.Write(configChange(path), []atomicfiles.File{file}, at)
}

// configChange is the journal of a change of the file.
func configChange(path string) string { return path + ".change" }

// removeConfig puts back what was there before. A file that was edited since is
// kept beside.
func (a *Adopter) removeConfig() error {
	c := a.record.Config
	if _, err := atomicfiles.Finish(configChange(c.Path)); err != nil {
		return err
	}
	_ = os.Remove(atomicfiles.Staged(c.Path)) // of a change that was not decided
	data, err := os.ReadFile(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case c.Sum == "":
		return nil // it was there, the same, before
	case sum(data) == c.Sum:
		err = os.Remove(c.Path)
	case c.Replaced != "" && !exists(c.Replaced):
		return nil // put back already, or never replaced
	default:
		kept := atomicfiles.Backup(c.Path, atomicfiles.Unused([]atomicfiles.File{{Path: c.Path}}, time.Now()))
		a.tell("kept: %s, which was edited, is %s now", c.Path, kept)
		err = os.Rename(c.Path, kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.Replaced != "" && exists(c.Replaced) {
		if err := os.Rename(c.Replaced, c.Path); err != nil {
			return err
		}
	}
	return atomicfiles.SyncDir(filepath.Dir(c.Path))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
