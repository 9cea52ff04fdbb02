// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// Saved is a snapshot that was just saved.
type Saved struct {
	Info
	// From is the member that it is of.
	From string `json:"from"`
	// Stale tells that the member did not reach most others: what was acknowledged
	// last may be missing.
	Stale bool `json:"stale,omitempty"`
}

// spare is what a save leaves free on the disk, in bytes.
const spare = 100 << 20

// Save has the first member of c that answers send a snapshot, and puts it into
// dir. A snapshot that is not whole is not left there; one that is there is never
// overwritten. All that was acknowledged before Save was called is in it, unless
// it is Stale.
func Save(ctx context.Context, c etcdclient.Config, dir string) (Saved, error) {
	client, endpoint, size, err := choose(ctx, c)
	if err != nil {
		return Saved{}, err
	}
	defer client.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Saved{}, err
	}
	removeLeftovers(dir)
	if err := hasRoom(dir, size); err != nil {
		return Saved{}, err
	}
	stale := catchUp(ctx, client) != nil
	info, err := receive(ctx, client, dir)
	if err != nil {
		return Saved{}, fmt.Errorf("saving a snapshot of %s in %s: %w", endpoint, dir, err)
	}
	return Saved{Info: info, From: endpoint, Stale: stale}, nil
}

// choose returns a client of the first member that answers, quorum or not, and
// the size of its database.
func choose(ctx context.Context, c etcdclient.Config) (client *clientv3.Client, endpoint string, size int64, err error) {
	var all []error
	for _, endpoint := range c.Endpoints {
		client, size, err := ask(ctx, c, endpoint)
		if err == nil {
			return client, endpoint, size, nil
		}
		p := c.Explain(endpoint, err)
		all = append(all, fmt.Errorf("%w; %s", p, p.Fix))
	}
	return nil, "", 0, errors.Join(all...)
}

func ask(ctx context.Context, c etcdclient.Config, endpoint string) (*clientv3.Client, int64, error) {
	asking, cancel := context.WithTimeout(ctx, etcdclient.MemberTimeout)
	defer cancel()
	if err := c.Dial(asking, endpoint); err != nil {
		return nil, 0, err
	}
	client, err := c.Client(ctx, endpoint)
	if err != nil {
		return nil, 0, err
	}
	status, err := client.Status(asking, endpoint)
	switch {
	case err == nil && status.IsLearner:
		err = errors.New("is a learner, which lags behind")
	case err == nil:
		return client, status.DbSize, nil
	}
	client.Close()
	return nil, 0, err
}

// catchUp waits until the member has applied what the cluster has acknowledged.
func catchUp(ctx context.Context, client *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(ctx, etcdclient.MemberTimeout)
	defer cancel()
	return etcdclient.CheckQuorum(ctx, client)
}

// hasRoom wants room for size more bytes in dir.
func hasRoom(dir string, size int64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("looking at %s: %w", dir, err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < size+spare {
		return fmt.Errorf("%s has %d MB of free disk space, and a snapshot needs %d MB; free some, or choose another --dir", dir, free>>20, (size+spare)>>20)
	}
	return nil
}

// receive writes a snapshot to dir under a name that is none, verifies it and
// gives it its name.
func receive(ctx context.Context, client *clientv3.Client, dir string) (info Info, err error) {
	f, err := newPart(dir, unix.LOCK_EX)
	if err != nil {
		return Info{}, err
	}
	defer removePart(f) // which has another name by then, or is of no use
	taken := time.Now()
	sent, err := client.SnapshotWithVersion(ctx)
	if err != nil {
		return Info{}, err
	}
	defer sent.Snapshot.Close()
	if _, err := io.Copy(f, sent.Snapshot); err != nil {
		return Info{}, err
	}
	if err := f.Sync(); err != nil {
		return Info{}, err
	}
	if info, err = verifyUnlocked(f); err != nil {
		return Info{}, err
	}
	info.Path, err = namePart(f, dir, File{Taken: taken, Revision: info.Revision})
	return info, err
}

// verifyUnlocked verifies a file that this process has locked, and that bbolt
// locks in its turn.
func verifyUnlocked(f *os.File) (Info, error) {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		return Info{}, err
	}
	return Verify(f.Name())
}

// removeLeftovers removes what commands that were killed have left: nobody has it
// locked.
func removeLeftovers(dir string) {
	for _, pattern := range []string{partPattern, tempDirPattern} {
		left, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			continue
		}
		for _, path := range left {
			f, err := os.Open(path)
			if err != nil {
				continue
			}
			if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				os.RemoveAll(path)
			}
			f.Close()
		}
	}
}

// tempDirPattern is the name of a directory with what is packed or unpacked.
const tempDirPattern = ".etcd-pack-*"

// tempDir is a directory that is locked until it is removed.
type tempDir struct {
	path string
	file *os.File
}

func makeTempDir(dir string) (*tempDir, error) {
	removeLeftovers(dir)
	path, err := os.MkdirTemp(dir, tempDirPattern)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	t := &tempDir{path, f}
	if err != nil {
		t.remove()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return t, nil
}

func (t *tempDir) remove() {
	os.RemoveAll(t.path)
	t.file.Close()
}
