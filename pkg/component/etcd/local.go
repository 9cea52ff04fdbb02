// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"net"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"
)

// localBuffer is what a connection within the process holds in each direction, in
// bytes. An apiserver has about a hundred of them.
const localBuffer = 16 << 10

// local serves the member within its process: no sockets, no TLS, and gRPC's own
// server, where the port has that of net/http, which speaks HTTP as well
// (docs/decisions/0015-etcd-in-process.md).
type local struct{ listener *bufconn.Listener }

func newLocal() local { return local{bufconn.Listen(localBuffer)} }

// serve serves until the function that it returns is called, which ends what is
// open. Clients may ask as often as pings says whether a connection lives.
func (l local) serve(s *etcdserver.EtcdServer, pings time.Duration) (stop func()) {
	server := v3rpc.Server(s, nil, nil,
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pings}),
		grpc.ReadBufferSize(localBuffer),
	)
	go func() { _ = server.Serve(l.listener) }() // it ends with Stop only
	return server.Stop
}

// Dial connects to the member within its process, once it serves.
func (m *Member) Dial(ctx context.Context) (net.Conn, error) {
	return m.local.listener.DialContext(ctx)
}
