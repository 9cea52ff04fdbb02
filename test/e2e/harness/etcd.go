// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Etcd is a cluster of stock etcd members with the lab's certificates.
type Etcd struct {
	*Env
	// Program is the etcd that is started, or started again.
	Program string
	// Dir holds the lab's files.
	Dir     string
	Members []cluster.EtcdMember
	// Processes are the members' latest ones.
	Processes []*process.Process
}

// StartEtcd starts a cluster of n members, with the certificates in dir, and
// waits until it answers.
func (e *Env) StartEtcd(dir string, n int) *Etcd {
	e.Helper()
	return e.StartEtcdOf(e.StockBinary("etcd"), dir, n)
}

// StartEtcdOf is StartEtcd with another program.
func (e *Env) StartEtcdOf(program, dir string, n int) *Etcd {
	e.Helper()
	ports, err := process.FreePorts(2 * n)
	e.Must(err)
	c := &Etcd{Env: e, Program: program, Dir: dir, Processes: make([]*process.Process, n)}
	for i := range n {
		name := fmt.Sprintf("etcd-%d", i)
		c.Members = append(c.Members, cluster.EtcdMember{
			Name: name, DataDir: e.Path(name), ClientPort: ports[2*i], PeerPort: ports[2*i+1],
		})
	}
	for i := range n {
		c.Start(i)
	}
	client := c.Client()
	e.Eventually("etcd", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := client.Get(ctx, "/")
		return err
	})
	return c
}

// Start starts a member, for the first time or again.
func (c *Etcd) Start(i int) {
	c.Helper()
	m := c.Members[i]
	c.Processes[i] = c.Env.Start(m.Name, process.Spec{
		Path: c.Program, Args: cluster.EtcdArgs(c.Dir, m, c.Members),
	})
}

// URLs are where clients reach the members.
func (c *Etcd) URLs() []string {
	var urls []string
	for _, m := range c.Members {
		urls = append(urls, m.ClientURL())
	}
	return urls
}

// Client returns a client for all members.
func (c *Etcd) Client() *clientv3.Client {
	c.Helper()
	return c.EtcdClient(c.Dir, c.URLs()...)
}

// EtcdClient returns a client with the lab's files in dir.
func (e *Env) EtcdClient(dir string, endpoints ...string) *clientv3.Client {
	e.Helper()
	client, err := cluster.EtcdClient(dir, endpoints...)
	e.Must(err)
	e.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, context.Canceled) {
			e.Error(err)
		}
	})
	return client
}
