// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

// Source is where stored values are read from.
type Source interface {
	// Read calls each with the keys and values below some paths, which are below the
	// prefix of Kubernetes' keys. It may leave out some where there are many.
	Read(ctx context.Context, paths []string, each func(path, key string, value []byte)) error
}

// begins is what the keys below a path begin with.
func begins(prefix, below string) string { return path.Join("/", prefix, below) + "/" }

// Bounds of what is read of one resource: of few objects all, of many the first, and
// those that were written first and last.
const (
	pageSize = 500
	maxRead  = 5000
	maxBytes = 32 << 20
)

// Etcd is an etcd that answers. Prefix is the apiserver's --etcd-prefix.
type Etcd struct {
	KV     clientv3.KV
	Prefix string
}

// Read implements Source.
func (e Etcd) Read(ctx context.Context, paths []string, each func(path, key string, value []byte)) error {
	for _, p := range paths {
		if err := e.read(ctx, p, func(key string, value []byte) { each(p, key, value) }); err != nil {
			return fmt.Errorf("reading what is stored below %s: %w", p, err)
		}
	}
	return nil
}

// read reads what is stored below one path.
func (e Etcd) read(ctx context.Context, below string, each func(string, []byte)) error {
	begin := begins(e.Prefix, below)
	end := clientv3.GetPrefixRangeEnd(begin)
	read := func(from string, options ...clientv3.OpOption) (*clientv3.GetResponse, int, error) {
		options = append(options, clientv3.WithRange(end), clientv3.WithLimit(pageSize), clientv3.WithSerializable())
		r, err := e.KV.Get(ctx, from, options...)
		if err != nil {
			return nil, 0, err
		}
		size := 0
		for _, kv := range r.Kvs {
			size += len(kv.Value)
			each(string(kv.Key), kv.Value)
		}
		return r, size, nil
	}
	bytes := 0
	for n, from := 0, begin; ; {
		r, size, err := read(from)
		if err != nil || !r.More {
			return err
		}
		n, bytes = n+len(r.Kvs), bytes+size
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
		if n >= maxRead || bytes >= maxBytes {
			break
		}
	}
	for _, order := range []clientv3.SortOrder{clientv3.SortAscend, clientv3.SortDescend} {
		if _, _, err := read(begin, clientv3.WithSort(clientv3.SortByModRevision, order)); err != nil {
			return err
		}
	}
	return nil
}

// Database is the file of a member that does not run: member/snap/db below its data
// directory. It is not changed. Prefix is the apiserver's --etcd-prefix.
type Database struct{ Path, Prefix string }

// Bounds of what is read of a database: its newest revisions.
const (
	maxRevisions = 200_000
	lockPatience = 100 * time.Millisecond
)

// ErrDamaged is the error of a database that cannot be read to its end.
var ErrDamaged = errors.New("the database is damaged")

// ErrInUse is the error of a database whose member runs.
var ErrInUse = errors.New("the database is in use")

// Read implements Source.
func (d Database) Read(ctx context.Context, paths []string, each func(path, key string, value []byte)) (err error) {
	// A truncated file is mapped whole; what is read beyond its end is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %w: %v", d.Path, ErrDamaged, r)
		}
	}()
	db, err := bbolt.Open(d.Path, 0, &bbolt.Options{ReadOnly: true, Timeout: lockPatience})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return fmt.Errorf("%s: %w", d.Path, ErrInUse)
	case err != nil:
		return fmt.Errorf("%s: %w: %w", d.Path, ErrDamaged, err)
	}
	defer db.Close()
	begin := make([]string, len(paths)) // once, and not for each of the keys
	for i, p := range paths {
		begin[i] = begins(d.Prefix, p)
	}
	below := func(key string) (path string, ok bool) {
		i := slices.IndexFunc(begin, func(b string) bool { return strings.HasPrefix(key, b) })
		if i < 0 {
			return "", false
		}
		return paths[i], true
	}
	return db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte("key"))
		if bucket == nil {
			return nil // no member has ever served from it
		}
		return newest(ctx, bucket.Cursor(), below, each)
	})
}

// newest calls each with the values that are in force of the keys that are below a
// path, going back from the newest revision: a key that was met before has been
// overwritten or deleted since.
func newest(ctx context.Context, c *bbolt.Cursor, below func(key string) (path string, ok bool), each func(path, key string, value []byte)) error {
	met := map[string]bool{}
	n := 0
	for k, v := c.Last(); k != nil && n < maxRevisions; k, v = c.Prev() {
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var kv mvccpb.KeyValue
		if err := proto.Unmarshal(v, &kv); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		key := string(kv.Key)
		path, ok := below(key)
		if !ok || met[key] {
			continue
		}
		met[key] = true
		if !isTombstone(k) {
			each(path, key, kv.Value)
		}
	}
	return nil
}

// isTombstone reports whether a revision is of a deletion: 17 bytes and a mark
// (go.etcd.io/etcd/server/v3/storage/mvcc, revision.go).
func isTombstone(revision []byte) bool {
	const size = 2*8 + 1
	return len(revision) == size+1 && revision[size] == 't'
}
