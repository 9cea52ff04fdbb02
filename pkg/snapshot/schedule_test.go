// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestTheFirstIsDueByTheAgeOfTheNewest(t *testing.T) {
	now := time.Now()
	s := &Schedule{Interval: 10 * time.Hour}
	for name, test := range map[string]struct {
		age  time.Duration // of the newest one; negative for none
		from time.Duration // is the earliest
	}{
		"none": {-1, 0}, "an old one": {30 * time.Hour, 0}, "a young one": {4 * time.Hour, 6 * time.Hour},
	} {
		newest := File{}
		if test.age >= 0 {
			newest.Taken = now.Add(-test.age)
		}
		for range 100 {
			if in := s.first(newest, now).Sub(now); in < test.from || in > test.from+time.Hour {
				t.Fatalf("%s: due in %s, want in %s and up to an hour more", name, in, test.from)
			}
		}
	}
}

func TestScheduledSnapshotsAreTakenAndPruned(t *testing.T) {
	c, client, stop := start(t, t.TempDir())
	put(t, client, 3)
	dir := filepath.Join(t.TempDir(), "snapshots")
	told := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		s := &Schedule{Etcd: etcdclient.Config{Endpoints: c.Endpoints}, Dir: dir, Interval: 1100 * time.Millisecond, Keep: 2}
		ended <- s.Run(ctx, func(state supervisor.State, detail string) {
			if state != supervisor.Running {
				t.Errorf("it is %s", state)
			}
			told <- detail
		})
	}()
	if got := <-told; got != "none taken yet" {
		t.Errorf("at first: %q", got)
	}
	for range 3 {
		if got := <-told; !strings.Contains(got, "at revision 5") || strings.Contains(got, "failed") {
			t.Errorf("it tells %q", got)
		}
	}
	if files, err := List(dir); err != nil || len(files) != 2 {
		t.Errorf("left: %v, %v", files, err)
	}
	stop()
	for got := range told {
		if strings.Contains(got, "the last one failed: ") && strings.Contains(got, "refuses the connection") && strings.Contains(got, "at revision 5") {
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
