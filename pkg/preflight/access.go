// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkAccess sees whether this user may read and write all that has to be read
// and written. The lab's files belong to root, while the packaged service is a
// user of its own: one finding with one command names everything that the user
// has to be given. What cannot be looked at for another reason is left to the
// check of its content.
func checkAccess(in input) []Finding {
	denied, found := access(in)
	if paths := outermost(denied); len(paths) > 0 {
		me := userName()
		found = append(found, failure(strings.Join(paths, ", "), "not open to the user "+me+", who has to read and write there",
			"give them to this user: chown -R "+me+": "+strings.Join(paths, " "))...)
	}
	return found
}

// Denied returns every file and directory, one by one, that exists and that this user
// may not read or write as it has to.
func Denied(p *plan.Plan) []string {
	denied, _ := access(input{Plan: p})
	slices.Sort(denied)
	return slices.Compact(denied)
}

// access returns what this user lacks access to: what it can be given, and findings
// for what has to be elsewhere.
func access(in input) (denied []string, found []Finding) {
	denied = deniedFiles(in)
	me := userName()
	for _, d := range in.Dirs() {
		dir, err := nearest(d.Path)
		switch {
		case err != nil || !isDir(dir) || !errors.Is(unix.Access(dir, unix.W_OK|unix.X_OK), unix.EACCES):
		case d.Flag != "":
			found = append(found, failure(d.Path, "cannot be written to by the user "+me, "point "+d.Flag+" to a directory that this user may write to")...)
		case dir != d.Path:
			found = append(found, failure(d.Path, "cannot be made by the user "+me, "make it: install -d -m 0700 -o "+me+" "+d.Path)...)
		default:
			denied = append(denied, d.Path)
		}
	}
	return denied, found
}

// deniedFiles returns the files that exist and that this user may not read or,
// where it has to, write.
func deniedFiles(in input) []string {
	var denied []string
	deny := func(path string, mode uint32) {
		if errors.Is(unix.Access(path, mode), unix.EACCES) {
			denied = append(denied, path)
		}
	}
	for _, f := range in.Read() {
		deny(f.Path, unix.R_OK)
	}
	for _, path := range in.Written() {
		deny(path, unix.R_OK|unix.W_OK)
	}
	if in.Etcd != nil {
		deny(filepath.Join(in.Etcd.Dir, "member"), unix.R_OK|unix.W_OK|unix.X_OK)
		deny(filepath.Join(in.Etcd.Dir, "member/snap/db"), unix.R_OK|unix.W_OK)
	}
	return denied
}

// outermost sorts paths and drops those that are below another, or there twice.
func outermost(paths []string) []string {
	slices.Sort(paths)
	var out []string
	for _, p := range paths {
		inside := func(o string) bool { return p == o || strings.HasPrefix(p, o+"/") }
		if !slices.ContainsFunc(out, inside) {
			out = append(out, p)
		}
	}
	return out
}

// nearest returns a directory, or the nearest one above it that is there.
func nearest(dir string) (string, error) {
	_, err := os.Stat(dir)
	for errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		_, err = os.Stat(dir)
	}
	return dir, err
}

// isDir reports whether a path is a directory. To enter a file is forbidden to
// everybody, which says nothing of the user.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// userName names the user that this process runs as, by number where it has no
// name.
func userName() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
