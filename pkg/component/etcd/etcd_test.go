// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"net/url"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// TestAFirstStartThatIsStoppedAtOnce leaves data with which the next start works.
func TestAFirstStartThatIsStoppedAtOnce(t *testing.T) {
	for range 5 {
		dir := t.TempDir()
		peer, client := free(t), free(t)
		start := func() *embed.Etcd {
			cfg := embed.NewConfig()
			cfg.Dir, cfg.Name = dir, "a"
			cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
			cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
			cfg.InitialCluster = "a=" + peer.String()
			cfg.TickMs, cfg.ElectionMs = 20, 100
			cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
			server, err := embed.StartEtcd(cfg)
			if err != nil {
				t.Fatal(err)
			}
			return server
		}
		closeServer(start())
		again := start()
		select {
		case <-again.Server.ReadyNotify():
		case <-time.After(10 * time.Second):
			t.Error("it has no leader")
		}
		closeServer(again)
	}
}
