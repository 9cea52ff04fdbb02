// SPDX-License-Identifier: Apache-2.0

// Package atomicfiles writes a set of files all or none, a certificate and its
// key say, and finishes after a crash what had been decided: every file is on
// disk under a name of its own ([Staged]) before a journal says that the set is
// to be put in place, and whoever finds the journal can put it in place.
package atomicfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// File is one file to write.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
	// Replace has what is there kept beside, under the name that [Backup] gives;
	// owner and mode stay as they are. Without it, nothing may be there.
	Replace bool
	// Discard has what is replaced not kept, once the whole set is in place.
	Discard bool
}

const (
	stagedSuffix = ".new"
	dateLayout   = "20060102T150405Z"
)

// Staged is where a file is until the whole set is there.
func Staged(path string) string { return path + stagedSuffix }

// Backup is where a file is kept that another one has replaced at a time.
func Backup(path string, at time.Time) string { return path + "." + at.UTC().Format(dateLayout) }

// Write writes all files or none. A set that was interrupted is finished first.
// Each path may be there once. On an error, everything is as it was.
func Write(journal string, files []File, now time.Time) (err error) {
	var undo undoing
	defer func() {
		if err != nil {
			undo.all()
		}
	}()
	dirs, err := makeDirs(filepath.Dir(journal))
	undo.remove(dirs...)
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Dir(journal))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := finish(journal); err != nil {
		return err
	}
	j := contents{At: Unused(files, now)}
	for _, f := range files {
		if err := stage(f, &undo); err != nil {
			return err
		}
		// Who finishes it may be in another directory.
		path, err := filepath.Abs(f.Path)
		if err != nil {
			return err
		}
		j.Files = append(j.Files, entry{path, f.Replace, f.Discard})
	}
	for _, dir := range j.dirs() {
		if err := SyncDir(dir); err != nil {
			return err
		}
	}
	step("staged")
	if err := j.write(journal); err != nil {
		return err
	}
	undo.remove(journal)
	step("decided")
	if err := j.putInPlace(&undo); err != nil {
		return err
	}
	return os.Remove(journal)
}

// Finish puts in place what an interrupted Write had decided to, and returns the
// files; none where there is no journal.
func Finish(journal string) (finished []string, err error) {
	if !Interrupted(journal) {
		return nil, nil
	}
	unlock, err := lock(filepath.Dir(journal))
	if err != nil {
		return nil, err
	}
	defer unlock()
	return finish(journal)
}

func finish(journal string) (finished []string, err error) {
	j, err := read(journal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := j.putInPlace(&undoing{}); err != nil {
		return nil, fmt.Errorf("finishing what %s says was interrupted: %w", journal, err)
	}
	for _, f := range j.Files {
		finished = append(finished, f.Path)
	}
	return finished, os.Remove(journal)
}

// Interrupted reports whether a Write was interrupted that is to be finished.
func Interrupted(journal string) bool {
	_, err := os.Lstat(journal)
	return err == nil
}

// Unused is the first second, from now on, of which none of the files has a backup:
// the one whose date a Write gives to what it keeps.
func Unused(files []File, now time.Time) time.Time {
	at := now.UTC().Truncate(time.Second)
	taken := func(f File) bool {
		_, err := os.Lstat(Backup(f.Path, at))
		return err == nil
	}
	for slices.ContainsFunc(files, taken) {
		at = at.Add(time.Second)
	}
	return at
}

// step is called between the steps of a Write; tests end it there.
var step = func(string) {}

// stage writes f under its staged name, over what an interrupted Write left.
func stage(f File, undo *undoing) error {
	dirs, err := makeDirs(filepath.Dir(f.Path))
	undo.remove(dirs...)
	if err != nil {
		return err
	}
	old, err := os.Lstat(f.Path)
	switch {
	case err == nil && !f.Replace:
		return fmt.Errorf("%s exists and is not overwritten", f.Path)
	case errors.Is(err, fs.ErrNotExist) && f.Replace:
		return fmt.Errorf("%s is not there to be replaced", f.Path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && !old.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file; replace it where it is kept", f.Path)
	}
	path := Staged(f.Path)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	undo.remove(path)
	mode := f.Mode
	if f.Replace {
		mode = old.Mode().Perm()
	}
	_, err = w.Write(f.Data)
	return errors.Join(err, own(w, old), w.Chmod(mode), w.Sync(), w.Close())
}
