// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// giveFiles gives the service's user the files that it needs and may not read or
// write. Only root's are given, and only their owner changes: root itself and their
// group go on reading them.
func (a *Adopter) giveFiles(ctx context.Context) error {
	found, err := a.Check(ctx, a.insteadOf())
	if err != nil || len(found.Denied) == 0 {
		return err
	}
	var give []Owner
	for _, named := range found.Denied {
		path, err := filepath.EvalSymlinks(named)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var at unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &at)
		}
		if err != nil {
			return err
		}
		known := func(o Owner) bool { return o.Path == path }
		switch {
		case slices.ContainsFunc(a.record.Owners, known):
		case int(at.Uid) != os.Geteuid():
			return fmt.Errorf("%s: belongs to user %d, not to root, and may be needed by that; let the user %s have it: setfacl --modify user:%s:rwX %s", path, at.Uid, User, User, path)
		default:
			a.record.Owners = append(a.record.Owners, Owner{path, int(at.Uid)})
		}
		give = append(give, Owner{path, a.UID})
	}
	if err := a.save(); err != nil {
		return err
	}
	if len(give) > 0 {
		a.tell("giving to the user %s: %s", User, strings.Join(pathsOf(give), ", "))
	}
	for _, o := range give {
		if err := a.chown(o.Path, o.UID); err != nil {
			return err
		}
	}
	return nil
}

func pathsOf(all []Owner) []string {
	var out []string
	for _, o := range all {
		out = append(out, o.Path)
	}
	return out
}

func (a *Adopter) takeFilesBack() error {
	var errs []error
	for _, o := range slices.Backward(a.record.Owners) {
		if err := a.chown(o.Path, o.UID); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		a.record.Owners = nil
	}
	return errors.Join(errs...)
}
