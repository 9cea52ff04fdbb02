// SPDX-License-Identifier: Apache-2.0

package atomicfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// undoing is how to take back what was done, in reverse.
type undoing []func()

func (u *undoing) add(f func()) { *u = append(*u, f) }

func (u *undoing) remove(paths ...string) {
	for _, path := range paths {
		u.add(func() { os.Remove(path) })
	}
}

func (u *undoing) all() {
	for _, f := range slices.Backward(*u) {
		f()
	}
}

// makeDirs is os.MkdirAll, telling which directories it made.
func makeDirs(dir string) (created []string, err error) {
	if _, err := os.Stat(dir); err == nil {
		return nil, nil
	}
	if created, err = makeDirs(filepath.Dir(dir)); err != nil {
		return created, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return created, err
	}
	return append(created, dir), nil
}

// own gives a new file to whom the old one belongs to, or, where there is none,
// the directory: root renews what is the service's, and the service has to read it
// still.
func own(f *os.File, old fs.FileInfo) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if old == nil {
		var err error
		if old, err = os.Stat(filepath.Dir(f.Name())); err != nil {
			return err
		}
	}
	s, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(s.Uid), int(s.Gid))
}

// lock keeps other processes from writing sets with a journal in dir.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		d.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return func() { d.Close() }, nil
}

// SyncDir has the names in a directory reach the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
