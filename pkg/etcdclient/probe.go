// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// Prober asks one member over and over whether it answers with the agreement of
// most others. It has to be closed.
type Prober struct {
	endpoint string
	conns    conns
}

// NewProber returns the Prober of a member of the cluster behind c.
func NewProber(c Config, endpoint string) *Prober {
	if loaded, err := c.Loaded(); err == nil {
		c = loaded // and otherwise every probe says so
	}
	return &Prober{endpoint, conns{config: c, open: map[string]*clientv3.Client{}}}
}

// Probe returns nil when the member answers before ctx ends. It asks once: unlike
// a client's own questions it is not put again to a member that says no.
func (p *Prober) Probe(ctx context.Context) error {
	return p.conns.call(ctx, p.endpoint, func(conn *grpc.ClientConn) error {
		return CheckQuorum(ctx, clientv3.NewKVFromKVClient(pb.NewKVClient(conn), nil))
	})
}

// Close closes the connection.
func (p *Prober) Close() { p.conns.close() }
