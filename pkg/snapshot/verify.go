// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// Info is what a snapshot holds.
type Info struct {
	Path string `json:"path"`
	// Hash is etcd's of all keys and values, as `etcdutl snapshot status` prints it.
	Hash string `json:"hash"`
	// Revision is the latest in it.
	Revision int64 `json:"revision"`
	// Keys counts the keys at that revision.
	Keys int `json:"keys"`
	// Size is that of the file, in bytes.
	Size int64 `json:"size"`
	// Version is the storage version of etcd, such as 3.7.0.
	Version string `json:"version,omitempty"`
	// SHA256 is the checksum that etcd has appended.
	SHA256 string `json:"sha256"`
}

// sectorSize divides the length of every database (etcdutl/snapshot,
// hasChecksum): what is left over is the checksum.
const sectorSize = 512

// Verify reads all of a snapshot and returns what it holds. It is an error that
// names the file when it is not a snapshot, not all of it is there, or its
// content is damaged.
func Verify(path string) (Info, error) {
	if err := verifyChecksum(path); err != nil {
		return Info{}, err
	}
	sum, size, err := appended(path)
	if err != nil {
		return Info{}, err
	}
	s, err := content(path)
	if err != nil {
		return Info{}, fmt.Errorf("%s is not a snapshot of etcd, or is damaged: %s; take another one", path, oneLine(err))
	}
	return Info{
		Path: path, Hash: fmt.Sprintf("%08x", s.Hash), Revision: s.Revision, Keys: s.TotalKey,
		Size: size, Version: s.Version, SHA256: hex.EncodeToString(sum),
	}, nil
}

// content checks the database and counts what is in it. bbolt panics on some kinds
// of damage.
func content(path string) (s snapshot.Status, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if err := hasBuckets(path); err != nil {
		return s, err
	}
	return snapshot.NewV3(zap.NewNop()).Status(path)
}

// hasBuckets tells etcd's database from another of bbolt's.
func hasBuckets(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{"key", "meta", "members"} {
			if tx.Bucket([]byte(bucket)) == nil {
				return fmt.Errorf("it has no bucket %q", bucket)
			}
		}
		return nil
	})
}

// verifyChecksum compares a snapshot with the checksum at its end. Nothing else
// may touch a file before: to map one into memory of which a part is missing ends
// the process.
func verifyChecksum(path string) error {
	want, size, err := appended(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(h, f, size-sha256.Size); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if !bytes.Equal(h.Sum(nil), want) {
		return fmt.Errorf("%s is damaged: its content does not have the checksum that etcd has appended; take another one", path)
	}
	return nil
}

// appended returns the checksum at the end of a snapshot, and the file's size.
func appended(path string) (sum []byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	size = info.Size()
	if !info.Mode().IsRegular() || size <= sha256.Size || size%sectorSize != sha256.Size {
		return nil, 0, fmt.Errorf("%s (%d bytes) is not a snapshot of etcd, or a part of it is missing: it does not end with a checksum; take another one", path, size)
	}
	sum = make([]byte, sha256.Size)
	if _, err := f.ReadAt(sum, size-sha256.Size); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("reading %s: %w", path, err)
	}
	return sum, size, nil
}

// oneLine is an error in one line of a length that can be read.
func oneLine(err error) string {
	text := connerr.OneLine(err)
	const most = 300
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}
