// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkDirs sees whether directories can be written to and have room. A
// directory that is not there yet is evaluated by the nearest one above it.
func checkDirs(in input) []Finding {
	var found []Finding
	for _, d := range in.Dirs() {
		found = append(found, checkDir(d)...)
	}
	return found
}

func checkDir(d plan.Dir) []Finding {
	dir, err := nearest(d.Path)
	if err != nil {
		return failure(d.Path, "cannot be looked at: "+reason(err), "correct the path or its mode")
	}
	if !isDir(dir) {
		return failure(d.Path, dir+" is not a directory", "move it away")
	}
	switch err := unix.Access(dir, unix.W_OK|unix.X_OK); {
	case errors.Is(err, unix.EACCES):
		return nil // checkAccess has said so
	case errors.Is(err, unix.EROFS):
		return failure(d.Path, "is on a file system that is mounted read-only", "mount it writable")
	case err != nil:
		return failure(d.Path, "cannot be written to: "+err.Error(), "correct the path")
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return failure(d.Path, "cannot be looked at: "+err.Error(), "correct the path")
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < d.Need {
		return failure(d.Path, fmt.Sprintf("has %d MB of free disk space, and at least %d MB are needed", free>>20, d.Need>>20), "free some space")
	}
	return nil
}
