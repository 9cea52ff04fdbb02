// SPDX-License-Identifier: Apache-2.0

// Package etcdbalancer has the apiserver ask those members of an external etcd that
// answer, and this machine's own before the others
// (docs/decisions/0018-etcd-members.md). Every member is asked once a second whether
// it answers. Of one that does not while another does, the connections are closed,
// so that what waits on them is asked elsewhere, and new ones wait until it is back.
package etcdbalancer

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// Balancer knows the members of one cluster of etcd, or of several.
type Balancer struct {
	// OnOutage is told that a member, or all of them, do not answer, and returns what
	// is told when they do again. It may be nil, and is set before Run.
	OnOutage func() (over func())

	clusters  []*cluster
	byAddress map[string]*member

	mu      sync.Mutex
	clients map[*clientConn]struct{} // those that hold watches back
}

// New returns the Balancer of the cluster behind access and of those behind others,
// the servers of --etcd-servers-overrides, which are reached with the same files.
// It returns nil where there is nothing to choose: no cluster has a second member,
// or one is reached by a unix socket, which upstream cannot dial with a dialer of
// somebody else.
func New(access etcdclient.Config, others ...[]string) *Balancer {
	b := &Balancer{byAddress: map[string]*member{}}
	choice := false
	for _, endpoints := range append([][]string{access.Endpoints}, others...) {
		of := access
		of.Endpoints = endpoints
		c := &cluster{onVoice: b.release, onOutage: b.outage}
		for _, endpoint := range endpoints {
			network, address := etcdclient.Address(endpoint)
			if network != "tcp" {
				return nil
			}
			if b.byAddress[address] != nil {
				continue // of a cluster that is known already
			}
			m := newMember(c, endpoint, address, etcdclient.NewProber(of, endpoint))
			b.byAddress[address] = m
			c.members = append(c.members, m)
		}
		b.clusters = append(b.clusters, c)
		choice = choice || len(c.members) > 1
	}
	if !choice {
		return nil
	}
	return b
}

// Run watches the members until ctx ends. The apiserver's connections are balanced
// by what it finds from then on, in the whole process.
func (b *Balancer) Run(ctx context.Context) {
	inUse.Store(b)
	defer inUse.CompareAndSwap(b, nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range b.clusters {
		if len(c.members) < 2 {
			continue
		}
		for _, m := range c.members {
			answers.WithLabelValues(m.endpoint).Set(1)
			wg.Go(func() { m.findOutWhere(ctx) })
			wg.Go(func() { m.watch(ctx) })
		}
	}
}

func (b *Balancer) outage() (over func()) {
	if b.OnOutage == nil {
		return func() {}
	}
	return b.OnOutage()
}

// releaseWithin is within which watches go on that were held back, at random: those of
// all resources of all controllers at once would be a load of their own.
const releaseWithin = time.Second

// holds notes that a client holds watches back.
func (b *Balancer) holds(c *clientConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.clients == nil {
		b.clients = map[*clientConn]struct{}{}
	}
	b.clients[c] = struct{}{}
}

// release lets the watches go on.
func (b *Balancer) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.clients {
		time.AfterFunc(rand.N(releaseWithin), c.again)
	}
	clear(b.clients)
}

// inUse is the process's Balancer, as gRPC's balancers are the process's.
var inUse atomic.Pointer[Balancer]
