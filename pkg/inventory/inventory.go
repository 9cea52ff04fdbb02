// SPDX-License-Identifier: Apache-2.0

// Package inventory is the list of what this program has made, one thing a line: a
// file with its checksum as sha256sum(1) prints it, or the word directory and a
// directory of which everything in it is ours. Whoever removes the program (the
// package's postrm does) deletes that and nothing else: the same names hold the
// files of an operator who went through the lab.
package inventory

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// directory stands for the checksum of a directory.
const directory = "directory"

// Entry is one thing that was made.
type Entry struct{ sum, path string }

// String is a line of an inventory.
func (e Entry) String() string { return e.sum + "  " + e.path }

// Directory is the entry of a directory.
func Directory(path string) Entry { return Entry{directory, path} }

// File is the entry of a file with a content.
func File(path string, data []byte) Entry {
	return Entry{fmt.Sprintf("%x", sha256.Sum256(data)), path}
}

// Files returns the entries for files that were just made.
func Files(paths []string) ([]Entry, error) {
	var entries []Entry
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		entries = append(entries, File(path, data))
	}
	return entries, nil
}

// Add adds to the inventory in a file.
func Add(path string, entries []Entry) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(lines(entries)); err != nil {
		return err
	}
	return f.Sync()
}

// Inventory is what was made.
type Inventory []Entry

// Read reads the inventory in a file; where there is none, nothing was made. A line
// that is none is passed over, as postrm does.
func Read(path string) (Inventory, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all Inventory
	for line := range strings.Lines(string(data)) {
		sum, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if ok && sum != "" && path != "" {
			all = append(all, Entry{sum, path})
		}
	}
	return all, nil
}

// Has reports whether a file is there as it was made.
func (all Inventory) Has(path string) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	now := File(path, data)
	for _, e := range all {
		if e == now {
			return true
		}
	}
	return false
}

// Replace returns the inventory after the content of a file that was made is
// another, and the old one is kept elsewhere, or nowhere.
func (all Inventory) Replace(path string, data []byte, kept string) Inventory {
	var out Inventory
	for _, e := range all {
		if e.path == path {
			e.path = kept
		}
		if e.path != "" {
			out = append(out, e)
		}
	}
	return append(out, File(path, data))
}

// Bytes is the content of the file.
func (all Inventory) Bytes() []byte { return lines(all) }

func lines(entries []Entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(e.String() + "\n")
	}
	return b.Bytes()
}
