// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// file is one file to write.
type file struct {
	path string
	mode os.FileMode
	data []byte
}

// writeAll writes all files or none. Every file is complete and on disk under a
// temporary name before the first one gets its own; a name that is taken makes
// it fail.
func writeAll(files []file) (err error) {
	var created []string // what to remove again on failure
	defer func() {
		if err != nil {
			for i := len(created) - 1; i >= 0; i-- {
				os.Remove(created[i])
			}
		}
	}()
	temporary := make([]string, len(files))
	for i, f := range files {
		dirs, err := makeDirs(filepath.Dir(f.path))
		created = append(created, dirs...)
		if err != nil {
			return err
		}
		if temporary[i], err = writeTemporary(f); temporary[i] != "" {
			created = append(created, temporary[i])
		}
		if err != nil {
			return err
		}
	}
	for i, f := range files {
		// Unlike a rename, a link never replaces what is there.
		if err := os.Link(temporary[i], f.path); err != nil {
			if errors.Is(err, os.ErrExist) {
				return fmt.Errorf("%s exists and is not overwritten", f.path)
			}
			return err
		}
		created = append(created, f.path)
	}
	for i, f := range files {
		if err := errors.Join(os.Remove(temporary[i]), syncDir(filepath.Dir(f.path))); err != nil {
			return err
		}
	}
	return nil
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

// writeTemporary writes f beside its path and returns the name, also on error.
func writeTemporary(f file) (name string, err error) {
	t, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+"-*")
	if err != nil {
		return "", err
	}
	_, err = t.Write(f.data)
	err = errors.Join(err, t.Chmod(f.mode), t.Sync(), t.Close())
	return t.Name(), err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
