// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
)

// partPattern is the name of a snapshot that is being written.
const partPattern = ".etcd-snapshot-*.part"

// newPart makes a file in dir under a name that is none, and locks it, so that nobody
// takes it for what a killed command has left: LOCK_EX, or LOCK_SH where others are to
// lock it too.
func newPart(dir string, lock int) (*os.File, error) {
	f, err := os.CreateTemp(dir, partPattern)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), lock|unix.LOCK_NB); err != nil {
		removePart(f)
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return f, nil
}

// removePart removes it.
func removePart(f *os.File) {
	os.Remove(f.Name())
	f.Close()
}

// namePart gives it the name of as in dir, and returns its path. Where another of the same
// second and revision has that, as when one is saved by hand and one on schedule, it is
// the next second's.
func namePart(f *os.File, dir string, as File) (path string, err error) {
	for {
		path = filepath.Join(dir, as.name())
		err := unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
		switch {
		case err == nil:
			return path, atomicfiles.SyncDir(dir)
		case !errors.Is(err, fs.ErrExist):
			return "", fmt.Errorf("naming it %s: %w", path, err)
		}
		as.Taken = as.Taken.Add(time.Second)
	}
}
