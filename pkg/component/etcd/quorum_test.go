// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"net"
	"net/url"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func free(t *testing.T) url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

func TestAMemberSaysForWhomItWaitsAndStopsMeanwhile(t *testing.T) {
	cfg := embed.NewConfig()
	cfg.Dir, cfg.Name = t.TempDir(), "a"
	cfg.ListenClientUrls, cfg.ListenPeerUrls = []url.URL{free(t)}, []url.URL{free(t)}
	cfg.AdvertiseClientUrls, cfg.AdvertisePeerUrls = cfg.ListenClientUrls, cfg.ListenPeerUrls
	b, c := free(t), free(t)
	cfg.InitialCluster = "a=" + cfg.ListenPeerUrls[0].String() + ",b=" + b.String() + ",c=" + c.String()
	m := New(cfg, func(reason string) { t.Errorf("it ends the process: %s", reason) }, func() string { return "" })
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- m.Run(ctx, func(state supervisor.State, detail string) {
			if state != supervisor.Starting {
				t.Errorf("it is %s", state)
			}
			said <- detail
		})
	}()
	if got := <-said; got != "waiting for quorum: b, c do not answer" {
		t.Errorf("it says %q", got)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(supervisor.StopTimeout / 2):
		t.Fatal("it does not stop")
	}
}
