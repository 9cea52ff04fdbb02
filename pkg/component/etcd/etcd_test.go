// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// TestAFirstStartThatIsStoppedAtOnce leaves data with which the next start works.
func TestAFirstStartThatIsStoppedAtOnce(t *testing.T) {
	for range 5 {
		dir := t.TempDir()
		start := func() *embed.Etcd {
			server, err := embed.StartEtcd(alone(dir))
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
