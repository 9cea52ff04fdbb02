// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/instance"
)

// Member is the member that a snapshot is restored for.
type Member struct {
	// Name is its name, and PeerURLs are where the others reach it.
	Name     string
	PeerURLs []string
	// InitialCluster lists all members, as etcd's --initial-cluster does, and Token
	// is its --initial-cluster-token.
	InitialCluster, Token string
	// DataDir is the directory of its data, and WALDir that of its log where that is
	// elsewhere.
	DataDir, WALDir string
	// Listen lists where it listens, host:port.
	Listen []string
	// Lock is the lock file of the control plane that the member is of.
	Lock string
}

// RevisionBump is by how much a restored cluster's revision is above that of the
// snapshot: more than can have been written since it was taken, so that no
// revision is used twice. What was before it is marked as compacted: whoever
// watches from there has to list again (etcdutl snapshot restore
// --bump-revision --mark-compacted; etcd's documentation, "Disaster recovery").
const RevisionBump = 1_000_000_000

// Restore makes the data of m out of the snapshot at path. On every member of a
// cluster it has to be the same snapshot: the cluster's identity is made of its
// checksum, so that members with another one do not join. Nothing that is there is
// changed or overwritten; after an error nothing has been made.
func Restore(path string, m Member) (Info, error) {
	info, err := mayRestore(path, m)
	if err != nil {
		return Info{}, err
	}
	return info, build(path, info, m)
}

// mayRestore verifies the snapshot, and wants m to have no data and not to run.
func mayRestore(path string, m Member) (Info, error) {
	info, err := Verify(path)
	if err != nil {
		return Info{}, err
	}
	if err := isStopped(m); err != nil {
		return Info{}, err
	}
	return info, isEmpty(m)
}

// isStopped wants nobody to use the data directory or to listen where the member
// will.
func isStopped(m Member) error {
	if holder, held, err := instance.Holder(m.Lock); err == nil && held {
		return fmt.Errorf("khw-controller runs, process %d; stop it on every controller before a restore: systemctl stop khw-controller", holder.PID)
	}
	db := filepath.Join(m.DataDir, "member", "snap", "db")
	if f, err := os.Open(db); err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("%s is in use by a running etcd; stop that before a restore", db)
		}
	}
	for _, address := range m.Listen {
		l, err := net.Listen("tcp", address)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("something listens on %s, where this member will; stop it before a restore (ss -ltnp names it)", address)
		case err == nil:
			l.Close()
		}
	}
	return nil
}

// isEmpty wants a data directory with nothing in it, or none.
func isEmpty(m Member) error {
	for _, dir := range []string{m.DataDir, m.WALDir} {
		if dir == "" {
			continue
		}
		entries, err := os.ReadDir(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case len(entries) > 0:
			return fmt.Errorf("%s is not empty, and a restore overwrites nothing; move what is in it away: mkdir -p %s.old && mv %s/* %s.old/", dir, dir, dir, dir)
		}
	}
	return nil
}

// build makes the data beside where it belongs, and moves it there when it is
// whole.
func build(path string, info Info, m Member) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restoring %s to %s: %w", path, m.DataDir, err)
		}
	}()
	owner, err := ownerOf(m.DataDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.DataDir, 0o700); err != nil {
		return err
	}
	half := filepath.Join(m.DataDir, ".restore")
	defer func() {
		os.RemoveAll(half)
		if err != nil && m.WALDir != "" {
			os.RemoveAll(m.WALDir)
		}
	}()
	err = snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, Name: m.Name, PeerURLs: m.PeerURLs, InitialCluster: m.InitialCluster,
		InitialClusterToken: m.Token + "-" + info.SHA256[:16],
		OutputDataDir:       half, OutputWALDir: m.WALDir,
		RevisionBump: RevisionBump, MarkCompacted: true,
	})
	if err != nil {
		return err
	}
	for _, dir := range []string{m.DataDir, m.WALDir} {
		if err := owner.give(dir); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(half, "member"), filepath.Join(m.DataDir, "member")); err != nil {
		return err
	}
	return atomicfiles.SyncDir(m.DataDir)
}

// owner is who is to own what a restore makes.
type owner struct{ uid, gid int }

// ownerOf returns the owner of a directory, or of the nearest one above it that is
// there: root restores for the user that the control plane runs as.
func ownerOf(dir string) (owner, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir):
		return ownerOf(filepath.Dir(dir))
	case err != nil:
		return owner{}, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	return owner{int(stat.Uid), int(stat.Gid)}, nil
}

// give makes o the owner of everything below dir; only root has to.
func (o owner) give(dir string) error {
	if dir == "" || os.Geteuid() != 0 || o.uid == 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, o.uid, o.gid)
	})
}
