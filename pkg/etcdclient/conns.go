// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"errors"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// conns keeps one connection to each endpoint: where the process is starved, a
// handshake for every question would be what does not end in time.
type conns struct {
	config Config

	mu   sync.Mutex
	open map[string]*clientv3.Client
}

// call calls f with the connection to endpoint. Where f fails on one that was
// kept, which may have been closed meanwhile, it is called once more with a new
// one. A connection that failed is not kept: gRPC would wait before it dials
// again, and call a member dead that is back.
func (c *conns) call(ctx context.Context, endpoint string, f func(*grpc.ClientConn) error) error {
	for {
		client, kept, err := c.get(endpoint)
		if err != nil {
			return err
		}
		if err = f(client.ActiveConnection()); err == nil {
			return nil
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return err // which says nothing of the connection
		}
		c.drop(endpoint, client)
		if !kept || ctx.Err() != nil {
			return err
		}
	}
}

func (c *conns) get(endpoint string) (client *clientv3.Client, kept bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.open[endpoint]; ok {
		return client, true, nil
	}
	// Not of a question's context: it outlives the question.
	if client, err = c.config.Client(context.Background(), endpoint); err == nil {
		c.open[endpoint] = client
	}
	return client, false, err
}

func (c *conns) drop(endpoint string, client *clientv3.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[endpoint] == client {
		delete(c.open, endpoint)
	}
	client.Close()
}

// close closes all connections.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for endpoint, client := range c.open {
		delete(c.open, endpoint)
		client.Close()
	}
}
