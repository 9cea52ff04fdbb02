// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/bucket"
	"github.com/khw-controller/khw-controller/pkg/bucket/buckettest"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func remote(s *buckettest.Store) Remote {
	return Remote{Config: bucket.Config{Name: buckettest.Bucket, Prefix: "blue", Endpoint: s.URL}, Node: "controller-0"}
}

// files writes n files with the names of snapshots, and returns these, the oldest
// first.
func files(t *testing.T, dir string, n int) []string {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all []string
	for i := range n {
		all = append(all, File{Taken: at.Add(time.Duration(i) * time.Hour), Revision: int64(i)}.name())
		if err := os.WriteFile(filepath.Join(dir, all[i]), []byte("snapshot"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestSyncCopiesWhatIsMissingAndPrunesItsOwn(t *testing.T) {
	s, dir := buckettest.New(t), t.TempDir()
	r, all := remote(s), files(t, dir, 4)
	others := []string{"blue/controller-1/" + all[0], "blue/controller-0/notes.txt", "blue/" + all[3], "red/controller-0/" + all[0], "blue/controller-0/old/" + all[0]}
	for _, key := range others {
		s.Set(key, []byte("another's"))
	}
	s.Set("blue/controller-0/"+all[0], []byte("snapshot")) // one too many
	s.Set("blue/controller-0/"+all[2], []byte("snap"))     // not all of it
	copied, err := r.Sync(t.Context(), dir, 2)
	if err != nil || len(copied) != 2 || filepath.Base(copied[0].Path) != all[2] || filepath.Base(copied[1].Path) != all[3] {
		t.Errorf("copied %+v, %v", copied, err)
	}
	want := slices.Sorted(slices.Values(slices.Concat(others, []string{"blue/controller-0/" + all[2], "blue/controller-0/" + all[3]})))
	there := s.Objects()
	if got := slices.Sorted(maps.Keys(there)); !slices.Equal(got, want) || there["blue/controller-0/"+all[2]] != len("snapshot") {
		t.Errorf("there are %v, want %v", there, want)
	}
	if copied, err := r.Sync(t.Context(), dir, 2); err != nil || len(copied) > 0 {
		t.Errorf("the second time: %+v, %v", copied, err)
	}
	listed, err := r.List(t.Context())
	if err != nil || len(listed) != 3 || listed[0].Node != "controller-0" || listed[2].Node != "controller-1" ||
		listed[0].Path != "s3://backups/blue/controller-0/"+all[3] || listed[0].Revision != 3 || listed[0].Size != 8 {
		t.Errorf("listed %+v, %v", listed, err)
	}
}

func TestWhatIsFetchedGoesAway(t *testing.T) {
	s, dir := buckettest.New(t), filepath.Join(t.TempDir(), "made/on/the/way")
	s.Set("blue/x.db", []byte("data"))
	f, err := Fetch(t.Context(), remote(s).Config, "s3://backups/blue/x.db", dir)
	if err != nil {
		t.Fatal(err)
	}
	removeLeftovers(dir) // another save's
	if got, err := os.ReadFile(f.Path); err != nil || string(got) != "data" {
		t.Errorf("fetched %q, %v", got, err)
	}
	f.Close()
	// Cut off in the middle.
	s.Refuse(func(w http.ResponseWriter, r *http.Request) bool {
		if path.Base(r.URL.Path) != "x.db" {
			return false
		}
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Content-Range", "bytes 0-3/4")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write([]byte("da"))
		return true
	})
	if _, err := Fetch(t.Context(), remote(s).Config, "s3://backups/blue/x.db", dir); err == nil || !strings.Contains(err.Error(), "fetching s3://backups/blue/x.db: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a part of it: %v", err)
	}
	if _, err := Fetch(t.Context(), remote(s).Config, "s3://backups/", dir); err == nil || !strings.Contains(err.Error(), "want s3://BUCKET/KEY") {
		t.Errorf("of no object: %v", err)
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

// TestACopyThatFailsIsToldAndTriedAgain has the store refuse at first.
func TestACopyThatFailsIsToldAndTriedAgain(t *testing.T) {
	s := buckettest.New(t)
	s.Refuse(func(w http.ResponseWriter, _ *http.Request) bool {
		buckettest.Deny(w, http.StatusForbidden, "AccessDenied", "no")
		return true
	})
	c, client, _ := start(t, t.TempDir())
	put(t, client, 3)
	r, dir := remote(s), t.TempDir()
	told, events := make(chan string, 1000), make(chan string, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		schedule := &Schedule{
			Etcd: c, Dir: dir, Interval: time.Second, Keep: 2, Remote: &r,
			Tell: func(_ context.Context, text string) error { events <- text; return nil },
		}
		ended <- schedule.Run(ctx, func(_ supervisor.State, detail string) { told <- detail })
	}()
	await := func(what string, from <-chan string, says ...string) {
		t.Helper()
		for {
			select {
			case got := <-from:
				if !slices.ContainsFunc(says, func(s string) bool { return !strings.Contains(got, s) }) {
					return
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s does not say %q", what, says)
			}
		}
	}
	await("the event", events, "was not copied into the bucket", "these credentials may not do that")
	await("the detail", told, "at revision 5", "; not copied to the bucket: listing s3://backups/blue/controller-0/")
	s.Refuse(nil)
	await("the detail", told, "at revision 5, copied to the bucket")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := len(s.Objects()); n < 1 || n > 2 {
		t.Errorf("%d objects are there", n)
	}
}
