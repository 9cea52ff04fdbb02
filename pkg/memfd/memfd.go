// SPDX-License-Identifier: Apache-2.0

// Package memfd keeps files that exist in memory only, for components that insist
// on reading a file: nothing is left behind and nothing needs a writable
// directory.
package memfd

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// File is one file in memory. It is there until it is closed.
type File struct {
	name string
	// fd stays open on purpose, and out of reach of a finalizer.
	fd int
}

// New returns a file that holds data; its name is only shown.
func New(name string, data []byte) (File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return File{}, fmt.Errorf("making %s in memory: %w", name, err)
	}
	f := File{name, fd}
	if err := f.Replace(data); err != nil {
		f.Close()
		return File{}, err
	}
	return f, nil
}

// Replace has the file hold data, at the same path. Whoever watches the file is
// told by the kernel, as of one on a disk.
func (f File) Replace(data []byte) error {
	if err := os.WriteFile(f.Path(), data, 0o600); err != nil {
		return fmt.Errorf("writing %s in memory: %w", f.name, err)
	}
	return nil
}

// Exchange has another file, with data, at the same path at once: whoever reads it
// meanwhile reads the one or the other. Nobody who watches is told.
func (f File) Exchange(data []byte) error {
	other, err := New(f.name, data)
	if err != nil {
		return err
	}
	defer other.Close()
	if err := unix.Dup3(other.fd, f.fd, unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("exchanging %s in memory: %w", f.name, err)
	}
	return nil
}

// Path is where this process reads the file.
func (f File) Path() string { return fmt.Sprintf("/proc/self/fd/%d", f.fd) }

// Close gives the memory back.
func (f File) Close() { _ = unix.Close(f.fd) }
