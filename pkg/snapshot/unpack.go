// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
)

// packHeader is what every file of age's begins with.
const packHeader = "age-encryption.org/"

// IsPack reports whether the file at path is encrypted as a pack is.
func IsPack(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	begin := make([]byte, len(packHeader))
	_, err = io.ReadFull(f, begin)
	return err == nil && string(begin) == packHeader
}

// Unpacked is what was in a pack, in a directory that Close removes.
type Unpacked struct {
	// Snapshot is the file with the snapshot.
	Snapshot string
	// Files are those beside it, by their paths below the root.
	Files []atomicfiles.File

	dir *tempDir
}

// Close removes what was unpacked.
func (u *Unpacked) Close() { u.dir.remove() }

// maxFile is more than any of the files beside a snapshot has, in bytes.
const maxFile = 16 << 20

// Unpack decrypts the pack at path and unpacks it below dir. All of it is read, and
// found to be whole, before it returns.
func Unpack(path, dir, root string, identities []age.Identity) (*Unpacked, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := hasRoom(dir, info.Size()); err != nil {
		return nil, err
	}
	plain, err := makeTempDir(dir)
	if err != nil {
		return nil, err
	}
	u := &Unpacked{dir: plain}
	if err := u.decrypt(f, root, identities); err != nil {
		u.Close()
		return nil, err
	}
	return u, nil
}

func (u *Unpacked) decrypt(f *os.File, root string, identities []age.Identity) error {
	decrypted, err := age.Decrypt(f, identities...)
	if err != nil {
		return undecrypted(f.Name(), err)
	}
	if err := u.read(decrypted, root); err != nil {
		return fmt.Errorf("%s is damaged, or a part of it is missing: %w; take another one", f.Name(), err)
	}
	return nil
}

// undecrypted says why a pack cannot be read.
func undecrypted(path string, err error) error {
	var no *age.NoIdentityMatchError
	if errors.Is(err, age.ErrIncorrectIdentity) || errors.As(err, &no) {
		return fmt.Errorf("%s: this passphrase, or this identity, does not open it; give the one that it was saved with", path)
	}
	return fmt.Errorf("%s cannot be decrypted: %s", path, oneLine(err))
}

// read reads all of an archive.
func (u *Unpacked) read(r io.Reader, root string) error {
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name := header.Name
		if !filepath.IsLocal(name) || header.Typeflag != tar.TypeReg {
			return fmt.Errorf("%q has no place in it", name)
		}
		if f, ok := named(name); ok && !f.Packed && u.Snapshot == "" {
			u.Snapshot = filepath.Join(u.dir.path, name)
			if err := writeTo(u.Snapshot, archive); err != nil {
				return err
			}
			continue
		}
		data, err := io.ReadAll(io.LimitReader(archive, maxFile))
		if err != nil {
			return err
		}
		u.Files = append(u.Files, atomicfiles.File{Path: filepath.Join("/", root, name), Mode: fs.FileMode(header.Mode).Perm() &^ 0o022, Data: data})
	}
	if u.Snapshot == "" {
		return errors.New("there is no snapshot in it")
	}
	// What comes after the archive is authenticated only when it is read.
	_, err := io.Copy(io.Discard, r)
	return err
}

func writeTo(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// RestoreUnpacked lays down the files of a pack, and makes the data of m of its
// snapshot: all or nothing. A file that is there already with the same content
// stays; with another one, nothing is done.
func RestoreUnpacked(u *Unpacked, m Member, journal string) (info Info, made []string, err error) {
	if info, err = mayRestore(u.Snapshot, m); err != nil {
		return Info{}, nil, err
	}
	var missing []atomicfiles.File
	for _, f := range u.Files {
		there, err := os.ReadFile(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, f)
			made = append(made, f.Path)
		case err != nil:
			return Info{}, nil, err
		case !bytes.Equal(there, f.Data):
			return Info{}, nil, fmt.Errorf("%s is there with another content than in the pack, and a restore overwrites nothing; move it away", f.Path)
		}
	}
	if len(missing) > 0 {
		if err := atomicfiles.Write(journal, missing, time.Now()); err != nil {
			return Info{}, nil, err
		}
	}
	if err := build(u.Snapshot, info, m); err != nil {
		for _, path := range made {
			os.Remove(path)
		}
		return Info{}, nil, err
	}
	return info, made, nil
}
