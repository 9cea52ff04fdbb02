// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// alone returns a member of a cluster of one, which is quick.
func alone(dir string) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Dir, cfg.Name = dir, "a"
	any := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg.ListenClientUrls, cfg.ListenPeerUrls = any, any
	cfg.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	cfg.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2379"}}
	cfg.InitialCluster = "a=http://127.0.0.1:2380"
	cfg.TickMs, cfg.ElectionMs, cfg.BackendBatchInterval = 20, 100, time.Millisecond
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	return cfg
}

// stopped returns a member that has written something and does not run.
func stopped(t *testing.T) *embed.Config {
	t.Helper()
	cfg := alone(t.TempDir())
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	<-server.Server.ReadyNotify()
	for i := range 50 {
		key := fmt.Appendf(nil, "/registry/%d", i)
		if _, err := server.Server.Put(t.Context(), &etcdserverpb.PutRequest{Key: key, Value: make([]byte, 2000)}); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func TestDataOfAMemberThatStoppedInOrder(t *testing.T) {
	cfg := stopped(t)
	data, err := ReadData(cfg)
	if err != nil || data.Member == 0 || data.Cluster == 0 || len(data.Members) != 1 {
		t.Fatalf("got %+v, %v", data, err)
	}
	if m := data.Members[0]; m.ID != data.Member || m.Name != "a" || m.PeerURLs[0] != "http://127.0.0.1:2380" {
		t.Errorf("the member is %+v", m)
	}
	empty := *cfg
	empty.Dir = t.TempDir()
	if data, err := ReadData(&empty); err != nil || data.Member != 0 {
		t.Errorf("of nothing: %+v, %v", data, err)
	}
}

func TestDamagedDataAreFound(t *testing.T) {
	good := stopped(t)
	for name, test := range map[string]struct {
		damage func(t *testing.T, db, wal string)
		says   string // nothing where etcd lives with it
	}{
		"a truncated database": {func(t *testing.T, db, _ string) { truncate(t, db, 40<<10) }, "bytes, and "},
		"no page of it":        {func(t *testing.T, db, _ string) { truncate(t, db, 0) }, ""}, // as a first start that was cut off leaves it
		"half a page":          {func(t *testing.T, db, _ string) { truncate(t, db, 2000) }, "cannot be read"},
		"a foreign file":       {func(t *testing.T, db, _ string) { write(t, db, 0, make([]byte, 8192)) }, "cannot be read"},
		"pages of something else": {func(t *testing.T, db, _ string) {
			for at := int64(8192); at < size(t, db); at += 4096 {
				write(t, db, at, []byte(strings.Repeat("garbage!", 512)))
			}
		}, "cannot be read"},
		"no log":                {func(t *testing.T, _, wal string) { remove(t, wal) }, "no log in"},
		"an empty log":          {func(t *testing.T, _, wal string) { truncate(t, wal, 0) }, "the log in"},
		"a truncated log":       {func(t *testing.T, _, wal string) { truncate(t, wal, 10_000) }, "but the database has what was written up to entry"},
		"a log with other bits": {func(t *testing.T, _, wal string) { write(t, wal, 5000, []byte("garbage!")) }, "the log in"},
		"no database, and a log from the beginning": {func(t *testing.T, db, _ string) { remove(t, db) }, ""},
		"what is torn at the end of the log":        {func(t *testing.T, _, wal string) { write(t, wal, used(t, wal), []byte{9, 0, 0, 0, 0, 0, 0}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := *good
			cfg.Dir = t.TempDir()
			if err := os.CopyFS(cfg.Dir, os.DirFS(good.Dir)); err != nil {
				t.Fatal(err)
			}
			logs, err := filepath.Glob(filepath.Join(walDir(&cfg), "*.wal"))
			if err != nil || len(logs) != 1 {
				t.Fatal(logs, err)
			}
			test.damage(t, filepath.Join(cfg.Dir, "member/snap/db"), logs[0])
			_, err = ReadData(&cfg)
			switch {
			case test.says == "" && err != nil:
				t.Errorf("got %v", err)
			case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), cfg.Dir) || strings.Contains(err.Error(), "\n")):
				t.Errorf("got %v, want one line with %q and the path", err, test.says)
			}
		})
	}
}

func TestAFirstStartThatWasCutOffIsNoDamage(t *testing.T) {
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "member/snap"), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(cfg.Dir, "member/snap/db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadData(cfg); err != nil || data.Member != 0 {
		t.Errorf("got %+v, %v", data, err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, at int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, at); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// used is where the zeros at the end of a log begin, on the next boundary of
// eight, where a record would.
func used(t *testing.T, path string) int64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(len(strings.TrimRight(string(data), "\x00")))
	return (n + 7) / 8 * 8
}
