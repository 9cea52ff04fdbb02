// SPDX-License-Identifier: Apache-2.0

package defrag

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// start starts a cluster of n members, and returns how the first is reached.
func start(t *testing.T, n int) (c etcdclient.Config, client *clientv3.Client, stop []func()) {
	t.Helper()
	configs := make([]*embed.Config, n)
	var all []string
	var servers []*embed.Etcd
	for i := range configs {
		cfg := embed.NewConfig()
		cfg.Dir, cfg.Name = filepath.Join(t.TempDir(), "etcd"), fmt.Sprintf("m%d", i)
		cfg.ListenClientUrls, cfg.ListenPeerUrls = []url.URL{free(t)}, []url.URL{free(t)}
		cfg.AdvertiseClientUrls, cfg.AdvertisePeerUrls = cfg.ListenClientUrls, cfg.ListenPeerUrls
		cfg.TickMs, cfg.ElectionMs, cfg.UnsafeNoFsync = 50, 1000, true
		cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		all = append(all, cfg.Name+"="+cfg.ListenPeerUrls[0].String())
		configs[i] = cfg
	}
	for _, cfg := range configs {
		cfg.InitialCluster = strings.Join(all, ",")
		server, err := embed.StartEtcd(cfg)
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, server)
		stop = append(stop, sync.OnceFunc(server.Close))
		t.Cleanup(stop[len(stop)-1])
	}
	for _, server := range servers {
		select {
		case <-server.Server.ReadyNotify():
		case <-time.After(time.Minute):
			t.Fatal("a member does not serve")
		}
	}
	c = etcdclient.Config{Endpoints: []string{configs[0].ListenClientUrls[0].String()}}
	client, err := c.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
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

// fill writes some megabytes, and deletes them again.
func fill(t *testing.T, client *clientv3.Client) {
	t.Helper()
	value := strings.Repeat("x", 100_000)
	for i := range 60 {
		if _, err := client.Put(t.Context(), fmt.Sprintf("/fill/%d", i), value); err != nil {
			t.Fatal(err)
		}
	}
	deleted, err := client.Delete(t.Context(), "/fill/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(t.Context(), deleted.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
}

// awaitGain waits until so many members have something to gain: what was compacted
// is free with the next writes.
func awaitGain(t *testing.T, s *Schedule, client *clientv3.Client, want int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := client.Put(t.Context(), "/other", "value"); err != nil {
			t.Fatal(err)
		}
		all, err := Members(t.Context(), client, s.Etcd)
		gain := 0
		for _, m := range all {
			if s.gains(m) {
				gain++
			}
		}
		if err == nil && gain == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d members gain, %v; want %d", gain, err, want)
		}
	}
}

const megabyte = 1_000_000

func TestWhereItGainsAllAreDefragmented(t *testing.T) {
	c, client, _ := start(t, 3)
	s := &Schedule{Etcd: c, Free: megabyte}
	if freed, err := s.Look(t.Context()); freed != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", freed, err)
	}
	fill(t, client)
	awaitGain(t, s, client, 3)
	if freed, err := (&Schedule{Etcd: c}).Look(t.Context()); freed != 0 || err != nil {
		t.Errorf("for a few megabytes: %d, %v", freed, err)
	}
	all, err := Members(t.Context(), client, c)
	if err != nil || len(all) != 3 || all[0].leads || all[1].leads || !all[2].leads {
		t.Errorf("the leader is not the last: %v, %v", all, err)
	}

	_, release, err := Lock(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if freed, err := s.Look(t.Context()); freed != 0 || !errors.Is(err, ErrLocked) {
		t.Errorf("while somebody else does it: %d, %v", freed, err)
	}
	release()
	freed, err := s.Look(t.Context())
	if err != nil || freed < 3*5*megabyte {
		t.Errorf("it gave back %d, %v", freed, err)
	}
	awaitGain(t, s, client, 0)
	if got, err := client.Get(t.Context(), lockPrefix, clientv3.WithPrefix()); err != nil || got.Count > 0 {
		t.Errorf("a lock is left: %v, %v", got, err)
	}
}

func TestAMemberThatIsNeededIsLeftAlone(t *testing.T) {
	c, client, stop := start(t, 3)
	s := &Schedule{Etcd: c, Free: megabyte}
	fill(t, client)
	awaitGain(t, s, client, 3)
	stop[2]()
	freed, err := s.Look(t.Context())
	if err == nil || freed != 0 || !strings.Contains(err.Error(), "cannot spare") || !strings.Contains(err.Error(), "the member m2 does not answer: http://127.0.0.1:") || !strings.Contains(err.Error(), "refuses the connection") {
		t.Errorf("with one of three down: %d, %v", freed, err)
	}
	awaitGain(t, s, client, 2)
}

func TestSpared(t *testing.T) {
	up, down, learner := Member{}, Member{Err: errors.New("down")}, Member{learner: true}
	for name, test := range map[string]struct {
		of   []Member // the first is defragmented
		want bool
	}{
		"alone":                          {[]Member{up}, true},
		"one of two":                     {[]Member{up, up}, false},
		"one of three":                   {[]Member{up, up, up}, true},
		"one of three, one down":         {[]Member{up, up, down}, false},
		"one of five, one down":          {[]Member{up, up, up, up, down}, true},
		"one of five, two down":          {[]Member{up, up, up, down, down}, false},
		"one with a learner":             {[]Member{up, learner}, true},
		"one of two, and a learner":      {[]Member{up, up, learner}, false},
		"a learner beside two, one down": {[]Member{learner, up, down}, true},
	} {
		var all []*Member
		for i := range test.of {
			all = append(all, &test.of[i])
		}
		if err := spared(all[0], all); (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheScheduleTellsWhatItGaveBack(t *testing.T) {
	c, client, _ := start(t, 1)
	s := &Schedule{Etcd: c, Free: megabyte, Interval: 200 * time.Millisecond}
	fill(t, client)
	awaitGain(t, s, client, 1)
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan string, 1000), make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(state supervisor.State, detail string) {
			if state != supervisor.Running {
				t.Errorf("it is %s", state)
			}
			told <- detail
		})
	}()
	for got := range told {
		if strings.HasPrefix(got, "last gave back ") {
			break
		}
		if got != "" {
			t.Errorf("it tells %q", got)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	awaitGain(t, s, client, 0)
}
