// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/bucket"
)

// Remote is a bucket with copies of snapshots: each controller's in a directory of
// its own, so that none deletes another's.
type Remote struct {
	bucket.Config
	// Node names this controller.
	Node string
}

// Upload copies the snapshot at path into the bucket, and returns its URL there.
func (r Remote) Upload(ctx context.Context, path string) (url string, err error) {
	b, err := bucket.Open(ctx, r.Config)
	if err != nil {
		return "", err
	}
	key := r.key(filepath.Base(path))
	return b.URL(key), b.Put(ctx, path, key)
}

func (r Remote) key(name string) string { return r.Key(r.Node, name) }

// List lists all controllers' snapshots and packs in the bucket, the newest first.
// Other objects are passed over.
func (r Remote) List(ctx context.Context) ([]File, error) {
	b, err := bucket.Open(ctx, r.Config)
	if err != nil {
		return nil, err
	}
	return r.list(ctx, b, "")
}

// list lists the snapshots of one controller, or of all.
func (r Remote) list(ctx context.Context, b *bucket.Bucket, node string) ([]File, error) {
	prefix := r.Key(node)
	if prefix != "" {
		prefix += "/"
	}
	objects, err := b.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	files := []File{}
	for _, o := range objects {
		of := path.Base(path.Dir(o.Key))
		f, ok := named(path.Base(o.Key))
		if !ok || o.Key != r.Key(of, path.Base(o.Key)) {
			continue
		}
		f.Path, f.Size, f.Node = b.URL(o.Key), o.Size, of
		files = append(files, f)
	}
	sortNewestFirst(files)
	return files, nil
}

// Prune deletes all of this controller's snapshots in the bucket but the newest
// keep, and returns what it has deleted.
func (r Remote) Prune(ctx context.Context, keep int) ([]File, error) {
	b, err := bucket.Open(ctx, r.Config)
	if err != nil {
		return nil, err
	}
	return r.prune(ctx, b, keep)
}

func (r Remote) prune(ctx context.Context, b *bucket.Bucket, keep int) (deleted []File, err error) {
	files, err := r.list(ctx, b, r.Node)
	files = slices.DeleteFunc(files, isPacked)
	if err != nil || len(files) <= keep {
		return nil, err
	}
	for _, f := range files[keep:] {
		if err := b.Delete(ctx, r.key(path.Base(f.Path))); err != nil {
			return deleted, err
		}
		deleted = append(deleted, f)
	}
	return deleted, nil
}

// Sync copies those of the newest keep snapshots in dir into the bucket that are
// not there as they are here, the oldest first, and deletes what is too many
// there. It returns what it has copied. What an interruption or an outage has left
// undone, the next call does.
func (r Remote) Sync(ctx context.Context, dir string, keep int) (copied []File, err error) {
	local, err := List(dir)
	if err != nil {
		return nil, err
	}
	b, err := bucket.Open(ctx, r.Config)
	if err != nil {
		return nil, err
	}
	there, err := r.list(ctx, b, r.Node)
	if err != nil {
		return nil, err
	}
	for _, f := range slices.Backward(local[:min(keep, len(local))]) {
		if i := slices.IndexFunc(there, func(o File) bool { return path.Base(o.Path) == filepath.Base(f.Path) }); i >= 0 && there[i].Size == f.Size {
			continue
		}
		if err := b.Put(ctx, f.Path, r.key(filepath.Base(f.Path))); err != nil {
			return copied, err
		}
		copied = append(copied, f)
	}
	_, err = r.prune(ctx, b, keep)
	return copied, err
}

// Fetched is a file that was fetched from a bucket, until it is closed.
type Fetched struct {
	Path string
	file *os.File
}

// Close removes it.
func (f Fetched) Close() { removePart(f.file) }

// Fetch brings what url names in a bucket to dir, under a name that is none.
func Fetch(ctx context.Context, c bucket.Config, url, dir string) (fetched Fetched, err error) {
	name, key, err := bucket.ParseURL(url)
	if err != nil {
		return Fetched{}, err
	}
	c.Name = name
	b, err := bucket.Open(ctx, c)
	if err != nil {
		return Fetched{}, err
	}
	object, err := b.Stat(ctx, key)
	if err != nil {
		return Fetched{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Fetched{}, err
	}
	if err := hasRoom(dir, object.Size); err != nil {
		return Fetched{}, err
	}
	f, err := newPart(dir, unix.LOCK_SH) // whoever reads it locks it too
	if err != nil {
		return Fetched{}, err
	}
	fetched = Fetched{f.Name(), f}
	defer func() {
		if err != nil {
			fetched.Close()
		}
	}()
	return fetched, b.Get(ctx, object, f)
}
