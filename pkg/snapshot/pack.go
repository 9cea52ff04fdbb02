// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// packSuffix takes the place of a snapshot's suffix in the name of a pack: a tar of
// the snapshot and of what it takes to serve it, encrypted by age.
const packSuffix = ".tar.age"

// Packed is a pack that was just saved.
type Packed struct {
	Saved
	// Files are those beside the snapshot in it, as they are called below the root.
	Files []string `json:"files,omitempty"`
}

// SavePacked saves a snapshot as Save does, but into a pack with those of the files
// that are there, which are below root. Nobody reads it but who has an identity of
// one of the recipients. The plain snapshot does not stay.
func SavePacked(ctx context.Context, c etcdclient.Config, dir, root string, files []string, recipients []age.Recipient) (p Packed, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Packed{}, err
	}
	plain, err := makeTempDir(dir)
	if err != nil {
		return Packed{}, err
	}
	defer plain.remove()
	if p.Saved, err = Save(ctx, c, plain.path); err != nil {
		return Packed{}, err
	}
	path := filepath.Join(dir, strings.TrimSuffix(filepath.Base(p.Path), ".db")+packSuffix)
	if p.Files, err = pack(path, p.Path, root, files, recipients); err != nil {
		return Packed{}, fmt.Errorf("packing %s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Packed{}, err
	}
	p.Path, p.Size = path, info.Size()
	return p, nil
}

// pack writes a pack under a name that is none, and then gives it its own.
func pack(path, snapshot, root string, files []string, recipients []age.Recipient) (packed []string, err error) {
	f, err := newPart(filepath.Dir(path), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer removePart(f) // which has another name by then, or is of no use
	encrypted, err := age.Encrypt(f, recipients...)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(encrypted)
	if err := add(archive, filepath.Base(snapshot), snapshot); err != nil {
		return nil, err
	}
	for _, file := range files {
		name := strings.TrimPrefix(strings.TrimPrefix(file, root), "/")
		err := add(archive, name, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		}
		packed = append(packed, "/"+name)
	}
	if err := errors.Join(archive.Close(), encrypted.Close(), f.Sync()); err != nil {
		return nil, err
	}
	return packed, namePart(f, path)
}

// add adds the file at path under name.
func add(archive *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}
