// SPDX-License-Identifier: Apache-2.0

// Package filetree is for tests of what is on a disk.
package filetree

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Contents returns what is in each file below dir, by its path from there.
func Contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		all[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
