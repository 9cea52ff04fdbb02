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
	if f := checkRoom(d, dir); f != nil {
		return []Finding{*f}
	}
	return nil
}

// inodesNeeded is how many files can be made at least: etcd makes one for each
// segment of its log and each snapshot, and the audit log one for each rotation.
const inodesNeeded = 64

// checkRoom sees whether what is written to d will fit on the file system of dir,
// which is there.
func checkRoom(d plan.Dir, dir string) *Finding {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return &Finding{Error, d.Path, "cannot be looked at: " + err.Error(), "correct the path"}
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < d.Need {
		return &Finding{Error, d.Path, fmt.Sprintf("has %d MB of free disk space, and at least %d MB are needed", free>>20, d.Need>>20), "free some space"}
	}
	// File systems without a fixed number of inodes say that they have none.
	if fs.Files > 0 && fs.Ffree < inodesNeeded {
		return &Finding{Error, d.Path, fmt.Sprintf("has inodes for %d more files, and at least %d are needed (`df -i`)", fs.Ffree, inodesNeeded), "remove files that nobody needs"}
	}
	return nil
}

// Cramped are the directories of a control plane that runs which have less room
// than a start wants, each with what that leads to.
func Cramped(p *plan.Plan) []string {
	var cramped []string
	for _, d := range p.Dirs() {
		dir, err := nearest(d.Path)
		if err != nil {
			continue // it has gone with its files, of which that is told
		}
		if f := checkRoom(d, dir); f != nil {
			cramped = append(cramped, fmt.Sprintf("%s: %s; when it is full, %s; %s", f.Subject, f.Problem, d.Full, f.Fix))
		}
	}
	return cramped
}
