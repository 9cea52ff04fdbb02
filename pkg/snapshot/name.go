// SPDX-License-Identifier: Apache-2.0

// Package snapshot saves, lists, evaluates and restores snapshots of etcd's
// database: files as etcd's own tools make and take them, under a name that tells
// when and at which revision they were taken. A file that bears such a name is
// whole: it is written under another one, and verified before it is renamed.
package snapshot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// nameTime is the time in a name, in UTC: names sort by it.
const nameTime = "20060102T150405Z"

var namePattern = regexp.MustCompile(`^etcd-(\d{8}T\d{6}Z)-r(\d+)(\.db|\.tar\.age)$`)

// The suffixes of a snapshot's name, and of a pack's: a tar of the snapshot and of what
// it takes to serve it, encrypted by age.
const (
	plainSuffix = ".db"
	packSuffix  = ".tar.age"
)

// File is a snapshot by its name.
type File struct {
	// Path is the file's, or its URL in a bucket.
	Path string `json:"path"`
	// Taken is when it was taken, to the second.
	Taken time.Time `json:"taken"`
	// Revision is etcd's at that time.
	Revision int64 `json:"revision"`
	// Size is that of the file, in bytes.
	Size int64 `json:"size"`
	// Node is whose copy it is, of one in a bucket.
	Node string `json:"node,omitempty"`
	// Packed tells that it is a pack, with other files in it, and encrypted.
	Packed bool `json:"packed,omitempty"`
}

func isPacked(f File) bool { return f.Packed }

// name is what f is called.
func (f File) name() string {
	suffix := plainSuffix
	if f.Packed {
		suffix = packSuffix
	}
	return fmt.Sprintf("etcd-%s-r%d%s", f.Taken.UTC().Format(nameTime), f.Revision, suffix)
}

// named returns what a name tells of a snapshot; ok is false for other names.
func named(name string) (f File, ok bool) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return File{}, false
	}
	taken, timeErr := time.Parse(nameTime, m[1])
	revision, revisionErr := strconv.ParseInt(m[2], 10, 64)
	return File{Taken: taken, Revision: revision, Packed: m[3] == packSuffix}, timeErr == nil && revisionErr == nil
}

// sortNewestFirst sorts as List does.
func sortNewestFirst(files []File) {
	slices.SortStableFunc(files, func(a, b File) int {
		return cmp.Or(b.Taken.Compare(a.Taken), cmp.Compare(b.Revision, a.Revision))
	})
}

// List lists the snapshots in dir, the newest first. Other files are passed over,
// packs too; a directory that is not there holds none.
func List(dir string) ([]File, error) {
	files, err := ListAll(dir)
	return slices.DeleteFunc(files, isPacked), err
}

// ListAll lists the snapshots and the packs in dir, the newest first.
func ListAll(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := []File{} // a list in JSON too
	for _, e := range entries {
		f, ok := named(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // pruned meanwhile
		}
		if err != nil {
			return nil, err
		}
		f.Path, f.Size = filepath.Join(dir, e.Name()), info.Size()
		files = append(files, f)
	}
	sortNewestFirst(files)
	return files, nil
}

// Newest returns the newest snapshot in dir that is good, if there is one.
func Newest(dir string) (File, bool) {
	files, err := List(dir)
	if err != nil {
		return File{}, false
	}
	for _, f := range files {
		if verifyChecksum(f.Path) == nil {
			return f, true
		}
	}
	return File{}, false
}

// Prune deletes all snapshots in dir but the newest keep, and returns what it has
// deleted. Other files stay.
func Prune(dir string, keep int) ([]File, error) {
	files, err := List(dir)
	if err != nil || len(files) <= keep {
		return nil, err
	}
	var pruned []File
	for _, f := range files[keep:] {
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return pruned, err
		}
		pruned = append(pruned, f)
	}
	return pruned, nil
}
