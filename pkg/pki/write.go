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
	var made []string // what to remove again on failure
	defer func() {
		if err != nil {
			for i := len(made) - 1; i >= 0; i-- {
				os.Remove(made[i])
			}
		}
	}()
	temporary := make([]string, len(files))
	for i, f := range files {
		dirs, err := makeDirs(filepath.Dir(f.path))
		made = append(made, dirs...)
		if err != nil {
			return err
		}
		if temporary[i], err = writeTemporary(f); temporary[i] != "" {
			made = append(made, temporary[i])
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
		made = append(made, f.path)
	}
	for i, f := range files {
		if err := errors.Join(os.Remove(temporary[i]), syncDir(filepath.Dir(f.path))); err != nil {
			return err
		}
	}
	return nil
}

// makeDirs is os.MkdirAll, telling which directories it made.
func makeDirs(dir string) (made []string, err error) {
	if _, err := os.Stat(dir); err == nil {
		return nil, nil
	}
	if made, err = makeDirs(filepath.Dir(dir)); err != nil {
		return made, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return made, err
	}
	return append(made, dir), nil
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
