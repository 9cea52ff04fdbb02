// SPDX-License-Identifier: Apache-2.0

package etcdbalancer

import (
	"slices"
	"sync"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/roundrobin"
	"google.golang.org/grpc/connectivity"
)

// etcd's client asks for round_robin by name, and has no option for another one
// (client/v3/internal/resolver). gRPC takes the builder that was registered last for
// a name. What is registered here is gRPC's own, but for connections to members
// that the process's Balancer knows.
func init() { balancer.Register(builder{balancer.Get(roundrobin.Name)}) }

type builder struct{ balancer.Builder }

// Build implements balancer.Builder.
func (b builder) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	c := &clientConn{ClientConn: cc}
	return closing{b.Builder.Build(c, o), c}
}

// closing is a balancer whose client is told when it is closed.
type closing struct {
	balancer.Balancer
	client *clientConn
}

// Close implements balancer.Balancer.
func (c closing) Close() {
	c.client.close()
	c.Balancer.Close()
}

// clientConn is told by gRPC's balancer what can be picked from.
type clientConn struct {
	balancer.ClientConn

	mu     sync.Mutex
	last   balancer.State
	closed bool
}

// UpdateState implements balancer.ClientConn.
func (c *clientConn) UpdateState(s balancer.State) {
	if s.ConnectivityState == connectivity.Ready {
		if p := newPicker(c, s.Picker); p != nil {
			s.Picker = p
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = s
	c.ClientConn.UpdateState(s)
}

// again has what waits for a pick tried again.
func (c *clientConn) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.last.Picker != nil {
		c.ClientConn.UpdateState(c.last)
	}
}

func (c *clientConn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// picker picks a member: this machine's own if it answers, or else one that does, or
// else one that is connected. Of several they take turns.
//
// While nobody answers, watches are held back, without a cost. Without a leader etcd
// refuses every one, and the apiserver tries those of all its resources again every
// second. Other requests are not: whoever waits for them is to hear of it.
type picker struct {
	client   *clientConn
	balancer *Balancer
	all      balancer.Picker // gRPC's, for when nobody answers
	ready    []choice
	turn     atomic.Uint32
}

type choice struct {
	member *member
	picker balancer.Picker
}

// newPicker returns nil where not all that is connected are known members.
func newPicker(c *clientConn, all balancer.Picker) *picker {
	known := inUse.Load()
	if known == nil {
		return nil
	}
	p := &picker{client: c, balancer: known, all: all}
	for _, child := range endpointsharding.ChildStatesFromPicker(all) {
		if child.State.ConnectivityState != connectivity.Ready {
			continue
		}
		if len(child.Endpoint.Addresses) != 1 {
			return nil
		}
		m := known.byAddress[child.Endpoint.Addresses[0].Addr]
		if m == nil {
			return nil
		}
		p.ready = append(p.ready, choice{m, child.State.Picker})
	}
	return p
}

// Pick implements balancer.Picker.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	if info.FullMethodName == pb.Watch_Watch_FullMethodName && p.isSilent() {
		p.balancer.holds(p.client)
		if p.isSilent() { // still, so that it will be told
			return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
		}
	}
	for _, fits := range []func(*member) bool{ownAnswers, doesAnswer} {
		if c, ok := p.next(fits); ok {
			return c.picker.Pick(info)
		}
	}
	return p.all.Pick(info)
}

// isSilent reports whether nobody answers of those that are connected.
func (p *picker) isSilent() bool {
	return !slices.ContainsFunc(p.ready, func(c choice) bool { return !c.member.cluster.silent.Load() })
}

func doesAnswer(m *member) bool { return !m.late.Load() && !m.left.Load() }

func ownAnswers(m *member) bool { return m.own.Load() && doesAnswer(m) }

// next returns the one of those that fit whose turn it is.
func (p *picker) next(fits func(*member) bool) (c choice, ok bool) {
	n := uint32(0)
	for _, c := range p.ready {
		if fits(c.member) {
			n++
		}
	}
	if n == 0 {
		return choice{}, false
	}
	nth := p.turn.Add(1) % n
	for _, c := range p.ready {
		if !fits(c.member) {
			continue
		}
		if nth == 0 {
			return c, true
		}
		nth--
	}
	return choice{}, false // one of them has been left out meanwhile
}
