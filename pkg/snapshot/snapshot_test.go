// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// start starts a member with the data in dir and returns how it is reached.
func start(t *testing.T, dir string) (c etcdclient.Config, client *clientv3.Client, stop func()) {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir, cfg.Name = dir, "a"
	cfg.ListenClientUrls, cfg.ListenPeerUrls = []url.URL{free(t)}, []url.URL{free(t)}
	cfg.AdvertiseClientUrls, cfg.AdvertisePeerUrls = cfg.ListenClientUrls, cfg.ListenPeerUrls
	cfg.InitialCluster = "a=" + cfg.ListenPeerUrls[0].String()
	cfg.TickMs, cfg.ElectionMs = 20, 100
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("the member does not serve")
	}
	c = etcdclient.Config{Endpoints: []string{cfg.ListenClientUrls[0].String()}}
	client, err = c.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			client.Close()
			server.Close()
		}
	}
	t.Cleanup(stop)
	return c, client, stop
}

func free(t *testing.T) url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

// put writes n keys, and deletes one of them again.
func put(t *testing.T, client *clientv3.Client, n int) {
	t.Helper()
	for i := range n {
		if _, err := client.Put(t.Context(), fmt.Sprintf("/registry/%03d", i), strings.Repeat("x", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Delete(t.Context(), "/registry/000"); err != nil {
		t.Fatal(err)
	}
}

func save(t *testing.T, c etcdclient.Config, dir string) Saved {
	t.Helper()
	s, err := Save(t.Context(), c, dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func member(t *testing.T) Member {
	t.Helper()
	peer := free(t)
	return Member{
		Name: "a", PeerURLs: []string{peer.String()}, InitialCluster: "a=" + peer.String() + ",b=http://127.0.0.2:2380", Token: "t",
		DataDir: filepath.Join(t.TempDir(), "etcd"), Lock: filepath.Join(t.TempDir(), "lock"),
	}
}

func TestWhatIsSavedIsRestored(t *testing.T) {
	c, client, stop := start(t, t.TempDir())
	put(t, client, 50)
	dir := filepath.Join(t.TempDir(), "made/on/the/way")
	left := filepath.Join(dir, ".etcd-snapshot-1.part")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("by a save that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := save(t, c, dir)
	if s.Keys != 49 || s.Revision != 52 || s.Stale || s.From != c.Endpoints[0] {
		t.Errorf("got %+v", s)
	}
	if info, err := os.Stat(s.Path); err != nil || info.Mode() != 0o600 || info.Size() != s.Size {
		t.Errorf("the file: %v, %v", info, err)
	}
	files, err := List(dir)
	if err != nil || len(files) != 1 || files[0].Path != s.Path || files[0].Revision != 52 || time.Since(files[0].Taken) > time.Minute {
		t.Errorf("listed: %+v, %v", files, err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{filepath.Base(s.Path)}) {
		t.Errorf("in the directory: %v", got)
	}
	if newest, ok := Newest(dir); !ok || newest.Path != s.Path {
		t.Errorf("the newest is %+v, %v", newest, ok)
	}
	stop()

	m := member(t)
	m.InitialCluster = "a=" + m.PeerURLs[0]
	if _, err := Restore(s.Path, m); err != nil {
		t.Fatal(err)
	}
	_, client, _ = start(t, m.DataDir)
	resp, err := client.Get(t.Context(), "/registry/", clientv3.WithPrefix())
	if err != nil || resp.Count != 49 || string(resp.Kvs[0].Key) != "/registry/001" || len(resp.Kvs[0].Value) != 1000 {
		t.Fatalf("restored: %v, %v", resp, err)
	}
	if resp.Header.Revision < 52+RevisionBump {
		t.Errorf("the revision is %d", resp.Header.Revision)
	}
	events := client.Watch(t.Context(), "/registry/", clientv3.WithPrefix(), clientv3.WithRev(30))
	if e := <-events; e.CompactRevision < 52+RevisionBump {
		t.Errorf("a watcher from before gets %+v, %v", e, e.Err())
	}
	if got := names(t, m.DataDir); !slices.Equal(got, []string{"member"}) {
		t.Errorf("in the data directory: %v", got)
	}
}

func TestWhatIsNoSnapshotIsRefused(t *testing.T) {
	c, client, _ := start(t, t.TempDir())
	put(t, client, 20)
	dir := t.TempDir()
	good, err := os.ReadFile(save(t, c, dir).Path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for name, test := range map[string]struct {
		content []byte
		says    string
	}{
		"empty":                    {nil, "not a snapshot of etcd"},
		"a word":                   {[]byte("snapshot"), "not a snapshot of etcd"},
		"truncated":                {good[:len(good)/2], "a part of it is missing"},
		"truncated by a page":      {good[:len(good)-4096], "checksum"},
		"without its checksum":     {good[:len(good)-32], "does not end with a checksum"},
		"one bit flipped":          {flipped, "does not have the checksum"},
		"a database of another":    {foreign(t), "it has no bucket"},
		"no database, but hashed":  {hashed(make([]byte, 8192)), "invalid database"},
		"a database, only in part": {hashed(good[:8192]), "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file.db")
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			m := member(t)
			_, err := Restore(path, m)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if got := names(t, m.DataDir); len(got) > 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

// foreign is a database of bbolt's that is not etcd's, with a checksum.
func foreign(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return hashed(data)
}

// hashed appends the checksum that etcd would.
func hashed(data []byte) []byte {
	sum := sha256.Sum256(data)
	return append(slices.Clone(data), sum[:]...)
}

func TestRestoreOverwritesNothing(t *testing.T) {
	c, client, _ := start(t, t.TempDir())
	put(t, client, 1)
	s := save(t, c, t.TempDir())
	running := t.TempDir()
	start(t, running)
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	for name, test := range map[string]struct {
		prepare func(m *Member)
		says    string
	}{
		"a running member": {func(m *Member) { m.DataDir = running }, "in use by a running etcd"},
		"a taken port":     {func(m *Member) { m.Listen = []string{listening.Addr().String()} }, "something listens on"},
		"other data": {func(m *Member) {
			if err := os.MkdirAll(filepath.Join(m.DataDir, "member"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is not empty"},
		"a log elsewhere": {func(m *Member) {
			m.WALDir = t.TempDir()
			if err := os.WriteFile(filepath.Join(m.WALDir, "0.wal"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not empty"},
		"another's name": {func(m *Member) { m.Name = "z" }, "couldn't find local name"},
	} {
		t.Run(name, func(t *testing.T) {
			m := member(t)
			test.prepare(&m)
			before := names(t, m.DataDir)
			if _, err := Restore(s.Path, m); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if got := names(t, m.DataDir); !slices.Equal(got, before) {
				t.Errorf("the directory has %v, before %v", got, before)
			}
		})
	}
}

func TestPruneKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all []string
	for i := range 4 {
		all = append(all, File{Taken: at.Add(time.Duration(i) * time.Hour), Revision: int64(1000 * (4 - i))}.name())
	}
	others := []string{"notes.txt", "etcd-20260102T030405Z-r1.db.old", "etcd-99999999T999999Z-r1.db"}
	for _, n := range slices.Concat(all, others) {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pruned, err := Prune(dir, 2)
	if err != nil || len(pruned) != 2 || filepath.Base(pruned[0].Path) != all[1] || filepath.Base(pruned[1].Path) != all[0] {
		t.Errorf("pruned %+v, %v", pruned, err)
	}
	want := slices.Sorted(slices.Values(slices.Concat(all[2:], others)))
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	if pruned, err := Prune(filepath.Join(dir, "nowhere"), 2); err != nil || len(pruned) > 0 {
		t.Errorf("of nothing: %v, %v", pruned, err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	u := free(t)
	dir := filepath.Join(t.TempDir(), "snapshots")
	_, err := Save(t.Context(), etcdclient.Config{Endpoints: []string{u.String()}}, dir)
	if err == nil || !strings.Contains(err.Error(), u.String()+" refuses the connection") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made %s", dir)
	}
}

func TestTwoOfOneSecondHaveTheirOwnNames(t *testing.T) {
	dir := t.TempDir()
	as := File{Taken: time.Date(2026, 11, 27, 17, 0, 54, 0, time.UTC), Revision: 322}
	for _, packed := range []bool{false, true} {
		as.Packed = packed
		for second := range time.Duration(3) {
			f, err := newPart(dir, unix.LOCK_EX)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			path, err := namePart(f, dir, as)
			if got, ok := named(filepath.Base(path)); err != nil || !ok || got != (File{Taken: as.Taken.Add(second * time.Second), Revision: 322, Packed: packed}) {
				t.Errorf("it is named %s, %v", path, err)
			}
		}
	}
	if got := names(t, dir); len(got) != 6 {
		t.Errorf("there are %v", got)
	}
}

func TestACutOffSaveLeavesNothing(t *testing.T) {
	c, client, _ := start(t, t.TempDir())
	put(t, client, 1)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := receive(ctx, client, dir); err == nil {
		t.Error("it succeeded")
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
	if _, err := Save(t.Context(), c, dir); err != nil {
		t.Error(err)
	}
}

// onSmallDisk does something in a directory on a disk of 64 KB, and wants nothing to
// be left there.
func onSmallDisk(t *testing.T, do func(dir string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts a small disk")
	}
	dir, done := t.TempDir(), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the mount goes with the thread
		if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k")); err != nil {
			t.Error(err)
			return
		}
		do(dir)
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
	}()
	<-done
}

// TestAFullDiskLeavesNothing has the disk fill up after a save has begun, which
// the look at the room on it does not foresee.
func TestAFullDiskLeavesNothing(t *testing.T) {
	c, client, _ := start(t, t.TempDir())
	put(t, client, 100)
	onSmallDisk(t, func(dir string) {
		if _, err := receive(t.Context(), client, dir); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v", err)
		}
		if _, err := Save(t.Context(), c, dir); err == nil || !strings.Contains(err.Error(), "has 0 MB of free disk space") {
			t.Errorf("got %v", err)
		}
	})
}
