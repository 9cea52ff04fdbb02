// SPDX-License-Identifier: Apache-2.0

package atomicfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// contents is what a journal says: what is to be put in place.
type contents struct {
	// At is in the names of what is replaced.
	At    time.Time `json:"at"`
	Files []entry   `json:"files"`
}

type entry struct {
	Path    string `json:"path"`
	Replace bool   `json:"replace,omitempty"`
	Discard bool   `json:"discard,omitempty"`
}

// read reads a journal.
func read(path string) (contents, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return contents{}, err
	}
	j, err := parse(data)
	if err != nil {
		return contents{}, fmt.Errorf("%s: %w; remove it, and every file *%s beside it", path, err, stagedSuffix)
	}
	return j, nil
}

func parse(data []byte) (contents, error) {
	var j contents
	if err := json.Unmarshal(data, &j); err != nil {
		return contents{}, fmt.Errorf("is not a list of files to put in place: %w", err)
	}
	for _, f := range j.Files {
		if f.Path == "" || strings.HasSuffix(f.Path, "/") || strings.ContainsRune(f.Path, 0) {
			return contents{}, fmt.Errorf("%q is not the path of a file", f.Path)
		}
	}
	return j, nil
}

// write makes the journal, complete or not at all.
func (j contents) write(path string) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	staged := Staged(path)
	if err := os.Remove(staged); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := os.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	if err := errors.Join(err, own(w, nil), w.Sync(), w.Close()); err != nil {
		os.Remove(staged)
		return err
	}
	if err := os.Rename(staged, path); err != nil {
		os.Remove(staged)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// dirs lists the directories of the files, each once.
func (j contents) dirs() []string {
	var dirs []string
	for _, f := range j.Files {
		dirs = append(dirs, filepath.Dir(f.Path))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// putInPlace gives every staged file its name. What has its name already was put
// there before an interruption.
func (j contents) putInPlace(undo *undoing) error {
	for _, f := range j.Files {
		if err := f.putInPlace(Backup(f.Path, j.At), undo); err != nil {
			return err
		}
		step("put " + filepath.Base(f.Path))
	}
	for _, dir := range j.dirs() {
		if err := SyncDir(dir); err != nil {
			return err
		}
	}
	for _, f := range j.Files {
		if f.Replace && f.Discard {
			os.Remove(Backup(f.Path, j.At))
		}
	}
	return nil
}

func (f entry) putInPlace(backup string, undo *undoing) error {
	staged := Staged(f.Path)
	if _, err := os.Lstat(staged); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !f.Replace {
		// Unlike a rename, a link never replaces what is there.
		if err := os.Link(staged, f.Path); err != nil && !same(staged, f.Path) {
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s exists and is not overwritten", f.Path)
			}
			return err
		}
		undo.remove(f.Path)
		step("linked " + filepath.Base(f.Path))
		return os.Remove(staged)
	}
	// It is there already where an interruption came between the two.
	if err := os.Link(f.Path, backup); err == nil {
		undo.remove(backup)
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	step("kept " + filepath.Base(f.Path))
	if err := os.Rename(staged, f.Path); err != nil {
		return err
	}
	undo.add(func() { _ = os.Rename(backup, f.Path) })
	return nil
}

// same reports whether two names are those of one file.
func same(a, b string) bool {
	x, errX := os.Lstat(a)
	y, errY := os.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
