// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source says where a unit's files are.
type Source interface {
	// Unit returns a unit of which no file has been read; fs.ErrNotExist for none.
	Unit(ctx context.Context, name string) (Unit, error)
}

// unitPath is where systemd looks for units, what comes first winning
// (systemd.unit(5)).
var unitPath = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// Tree is a directory with a machine's files in it; no systemd is asked.
type Tree struct{ Root string }

// Unit finds a unit's files as systemd would.
func (t Tree) Unit(_ context.Context, name string) (Unit, error) {
	u := Unit{Name: name}
	dropIns := map[string]string{} // by file name
	for _, dir := range unitPath {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(filepath.Join(t.Root, path)); err == nil && u.Path == "" {
			u.Path = path
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return u, err
		}
		found, err := filepath.Glob(filepath.Join(t.Root, path+".d", "*.conf"))
		if err != nil {
			return u, err
		}
		for _, f := range found {
			if base := filepath.Base(f); dropIns[base] == "" {
				dropIns[base] = filepath.Join(path+".d", base)
			}
		}
	}
	if u.Path == "" {
		return u, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
	}
	for _, path := range dropIns {
		u.DropIns = append(u.DropIns, path)
	}
	slices.SortFunc(u.DropIns, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return u, nil
}
