// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// Data is what the data of a member that does not run say of it.
type Data struct {
	// Member and Cluster are its identity and that of its cluster; 0 without data.
	Member, Cluster types.ID
	// Members are those of its cluster, as it knew them last.
	Members []membership.Member
}

// DatabasePath is where a member has its database.
func DatabasePath(cfg *embed.Config) string { return filepath.Join(snapDir(cfg), "db") }

func snapDir(cfg *embed.Config) string { return filepath.Join(cfg.Dir, "member", "snap") }

// ReadData reads the data of a member that does not run, and changes nothing. An
// error says what is damaged: what is here would keep the member from starting,
// have it wait for ever, or end the process.
func ReadData(cfg *embed.Config) (Data, error) {
	db, err := readDatabase(DatabasePath(cfg))
	if err != nil {
		return Data{}, err
	}
	dir := walDir(cfg)
	if !hasData(cfg) {
		if db.index > 0 { // else the first start was cut off
			return Data{}, fmt.Errorf("there is a database, but no log in %s", dir)
		}
		return Data{}, nil
	}
	log, err := readLog(dir)
	switch {
	case err != nil:
		return Data{}, fmt.Errorf("the log in %s cannot be read: %s", dir, connerr.OneLine(err))
	case db.index < log.first && received(cfg, log.first):
		// etcd was stopped while it put what its leader sent in the database's place.
	case !db.exists && log.first > 0:
		return Data{}, fmt.Errorf("there is a log that begins at entry %d, but no database in %s", log.first, snapDir(cfg))
	case db.index > log.last:
		return Data{}, fmt.Errorf("the log in %s ends at entry %d, but the database has what was written up to entry %d", dir, log.last, db.index)
	case db.exists && db.index > 0 && db.index < log.first:
		return Data{}, fmt.Errorf("the database ends at entry %d, but the log in %s begins at entry %d", db.index, dir, log.first)
	}
	return Data{Member: log.member, Cluster: log.cluster, Members: db.members}, nil
}

// received reports whether there is the database that the leader has sent for the
// snapshot at index (server/v3/etcdserver/api/snap/db.go).
func received(cfg *embed.Config, index uint64) bool {
	_, err := os.Stat(filepath.Join(snapDir(cfg), fmt.Sprintf("%016x.snap.db", index)))
	return err == nil
}

// database is what is asked of a member's database.
type database struct {
	exists bool
	// index is that of the last entry of the log that is in it.
	index   uint64
	members []membership.Member
}

// readDatabase reads what is needed of a database, and sees whether all of it is
// there: etcd maps the file into memory, and to touch what is not there ends the
// process.
func readDatabase(path string) (d database, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return database{}, nil
	case err != nil:
		return database{}, err
	case info.Size() == 0: // as a first start that was cut off leaves it; etcd makes it anew
		return database{}, nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { // bbolt's word for a page that makes no sense
		if r := recover(); r != nil {
			err = fmt.Errorf("the database %s cannot be read: %v", path, r)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return database{}, fmt.Errorf("the database %s cannot be read: %w", path, err)
	}
	defer db.Close()
	d.exists = true
	err = db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("the database %s has %d bytes, and %d are missing", path, info.Size(), tx.Size()-info.Size())
		}
		return d.read(tx)
	})
	return d, err
}

// read reads the buckets that etcd's storage/schema describes.
func (d *database) read(tx *bbolt.Tx) error {
	if b := tx.Bucket([]byte("meta")); b != nil {
		if v := b.Get([]byte("consistent_index")); len(v) == 8 {
			d.index = binary.BigEndian.Uint64(v)
		}
	}
	b := tx.Bucket([]byte("members"))
	if b == nil {
		return nil
	}
	return b.ForEach(func(_, v []byte) error {
		var m membership.Member
		if err := json.Unmarshal(v, &m); err != nil {
			return fmt.Errorf("the database's list of members is damaged: %w", err)
		}
		d.members = append(d.members, m)
		return nil
	})
}

// log is what is asked of a member's write-ahead log.
type log struct {
	member, cluster types.ID
	// first is the index of the snapshot that it continues, or 0, and last that of
	// its last entry.
	first, last uint64
}

// readLog reads all that etcd reads of it at a start.
func readLog(dir string) (l log, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	snapshots, err := wal.ValidSnapshotEntries(zap.NewNop(), dir)
	if err != nil {
		return log{}, err
	}
	newest := &walpb.Snapshot{}
	if n := len(snapshots); n > 0 {
		newest = snapshots[n-1]
	}
	w, err := wal.OpenForRead(zap.NewNop(), dir, newest)
	if err != nil {
		return log{}, err
	}
	defer w.Close()
	metadata, _, entries, err := w.ReadAll()
	if err != nil {
		return log{}, err
	}
	var of etcdserverpb.Metadata
	if err := proto.Unmarshal(metadata, &of); err != nil {
		return log{}, err
	}
	if len(metadata) == 0 {
		return log{}, errors.New("it does not say of which member it is")
	}
	l = log{member: types.ID(of.GetNodeID()), cluster: types.ID(of.GetClusterID()), first: newest.GetIndex(), last: newest.GetIndex()}
	if n := len(entries); n > 0 {
		l.last = entries[n-1].GetIndex()
	}
	return l, nil
}
