// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// madeFile lists what this program has made, one thing a line: a file with its
// checksum as sha256sum(1) prints it, or the word directory and a directory of
// which everything in it is ours. Whoever removes the program (the package's
// postrm does) deletes that and nothing else: the same names hold the files of
// an operator who went through the lab.
const madeFile = labDir + "/khw-controller.made"

// recordMade adds to the list.
func (p *Plan) recordMade(lines []string) (err error) {
	path := p.Config.Path(madeFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		return err
	}
	return f.Sync()
}

// checksums returns the lines for files that were just made.
func checksums(paths []string) ([]string, error) {
	var lines []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("%x  %s", sha256.Sum256(data), path))
	}
	return lines, nil
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
	return p.recordMade([]string{"directory  " + filepath.Join(p.Etcd.Dir, "member")})
}
