// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/paths"
)

// addToInventory adds to the list of what this program has made, one thing a
// line: a file with its checksum as sha256sum(1) prints it, or the word directory
// and a directory of which everything in it is ours. Whoever removes the program
// (the package's postrm does) deletes that and nothing else: the same names hold
// the files of an operator who went through the lab.
func (p *Plan) addToInventory(entries []string) (err error) {
	path := p.Path(paths.Inventory)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(strings.Join(entries, "\n") + "\n"); err != nil {
		return err
	}
	return f.Sync()
}

// checksums returns the entries for files that were just made.
func checksums(files []string) ([]string, error) {
	var entries []string
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		entries = append(entries, fmt.Sprintf("%x  %s", sha256.Sum256(data), path))
	}
	return entries, nil
}

// claimEtcdData records the embedded member's data as made by this program when
// there is none yet.
func (p *Plan) claimEtcdData() error {
	if p.Etcd == nil {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(p.Etcd.Dir, "member")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return p.addToInventory([]string{"directory  " + filepath.Join(p.Etcd.Dir, "member")})
}
