// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"
	"os"
	"path/filepath"

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

// namePart gives it its name, where nothing has that yet.
func namePart(f *os.File, path string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, path, unix.RENAME_NOREPLACE); err != nil {
		return fmt.Errorf("naming it %s: %w", path, err)
	}
	return atomicfiles.SyncDir(filepath.Dir(path))
}
