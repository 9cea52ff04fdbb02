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
	if p.Path, p.Files, err = pack(dir, p.Path, root, files, recipients); err != nil {
		return Packed{}, fmt.Errorf("packing it in %s: %w", dir, err)
	}
	info, err := os.Stat(p.Path)
	if err != nil {
		return Packed{}, err
	}
	p.Size = info.Size()
	return p, nil
}

// pack writes a pack to dir under a name that is none, and then gives it that of the
// snapshot.
func pack(dir, snapshot, root string, files []string, recipients []age.Recipient) (path string, packed []string, err error) {
	f, err := newPart(dir, unix.LOCK_EX)
	if err != nil {
		return "", nil, err
	}
	defer removePart(f) // which has another name by then, or is of no use
	encrypted, err := age.Encrypt(f, recipients...)
	if err != nil {
		return "", nil, err
	}
	archive := tar.NewWriter(encrypted)
	if err := add(archive, filepath.Base(snapshot), snapshot); err != nil {
		return "", nil, err
	}
	for _, file := range files {
		name := strings.TrimPrefix(strings.TrimPrefix(file, root), "/")
		err := add(archive, name, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", nil, err
		}
		packed = append(packed, "/"+name)
	}
	if err := errors.Join(archive.Close(), encrypted.Close(), f.Sync()); err != nil {
		return "", nil, err
	}
	as, _ := named(filepath.Base(snapshot)) // as Save names it
	as.Packed = true
	path, err = namePart(f, dir, as)
	return path, packed, err
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
