// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"net"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestAMemberServesItsProcess(t *testing.T) {
	cfg, err := Configure([]Setting{
		{"name", "controller"}, {"data-dir", t.TempDir()},
		{"listen-peer-urls", "http://127.0.0.1:0"}, {"listen-client-urls", "http://127.0.0.1:0"},
		{"heartbeat-interval", heartbeat}, {"election-timeout", electionTimeout},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := New(cfg, func(reason string) { t.Errorf("it ends the process: %s", reason) }, func() string { return "" })
	early, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if conn, err := m.Dial(early); err == nil {
		_ = conn.Close()
		t.Error("it can be reached before it serves")
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- m.Run(ctx, func(s supervisor.State, _ string) {
			if s == supervisor.Running {
				close(running)
			}
		})
	}()
	select {
	case <-running:
	case err := <-ended:
		t.Fatal(err)
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{"http://127.0.0.1:1"}, // where nobody listens
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return m.Dial(ctx) })},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	watch := client.Watch(ctx, "key")
	// More than a connection's buffer holds.
	value := string(make([]byte, 10*localBuffer))
	if _, err := client.Put(ctx, "key", value); err != nil {
		t.Fatal(err)
	}
	if r := <-watch; len(r.Events) != 1 || string(r.Events[0].Kv.Value) != value {
		t.Errorf("the watch gives %d events, %v", len(r.Events), r.Err())
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if conn, err := m.Dial(t.Context()); err == nil {
		_ = conn.Close()
		t.Error("it can be reached after it has stopped")
	}
}
