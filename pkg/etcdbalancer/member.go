// SPDX-License-Identifier: Apache-2.0

package etcdbalancer

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"
)

// Times of asking a member. All waits are jittered: several controllers do not ask
// in step.
const (
	// every is how often a member is asked that answers.
	every = time.Second
	// probeTimeout is what an answer may take.
	probeTimeout = 3 * time.Second
	// again and atMost are the first and the longest wait after no answer; each is
	// twice the one before.
	again  = 200 * time.Millisecond
	atMost = 5 * time.Second
	// patience is how long a member may owe an answer when another one, asked after
	// that, has given its own: then others are asked in its place, which costs nothing
	// where it is only slow. After leaveAfter its connections are closed. In an
	// election, or when this process is starved, all of them are late.
	patience   = time.Second
	leaveAfter = 3 * time.Second
	// grace is for how long that other one has to have answered: after an election, or
	// when most are back, they do not begin all at once.
	grace = 500 * time.Millisecond
	// silence is how long nobody may answer before watches are held back: longer than
	// an election.
	silence = 3 * time.Second
	// settled is how long one that was left out has to answer.
	settled = 3 * time.Second
)

// prober asks one member for something that it has to ask the leader for.
type prober interface {
	Probe(ctx context.Context) error
	Close()
}

// member is one member of a cluster.
type member struct {
	cluster  *cluster
	endpoint string
	address  string // host:port
	prober   prober
	conns    conns
	poke     chan struct{} // to be asked at once
	own      atomic.Bool   // runs on this machine
	late     atomic.Bool   // not asked where another one can be
	left     atomic.Bool   // left out

	// Of the cluster's mutex:

	owes     time.Time // when it was asked first of what it has not answered; zero while it answers
	steady   time.Time // when it gave the first of its answers in a row
	answered time.Time // when it was asked last of what it has answered
	doubted  bool      // the others have been asked whether it alone does not
	leftAt   time.Time
	back     chan struct{} // closed when it is not left out any more; nil while it is not
}

func newMember(c *cluster, endpoint, address string, p prober) *member {
	return &member{cluster: c, endpoint: endpoint, address: address, prober: p, poke: make(chan struct{}, 1)}
}

// watch asks the member until ctx ends.
func (m *member) watch(ctx context.Context) {
	defer m.prober.Close()
	failures := 0
	for {
		begun := time.Now()
		m.cluster.asked(m, begun)
		late := time.AfterFunc(patience, func() { m.cluster.pokeAll() })
		probing, cancel := context.WithTimeout(ctx, probeTimeout)
		err := m.prober.Probe(probing)
		cancel()
		late.Stop()
		if ctx.Err() != nil {
			return
		}
		wait := every
		if err != nil {
			wait = min(again<<min(failures, 10), atMost)
			failures++
		} else {
			failures = 0
			m.cluster.answer(m, begun, time.Now())
		}
		m.cluster.judge(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-m.poke:
		case <-time.After(jittered(wait)):
		}
	}
}

// jittered returns d or up to a fifth less or more.
func jittered(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*d/5)
}

// findOutWhere finds out whether the member runs on this machine.
func (m *member) findOutWhere(ctx context.Context) {
	host, _, err := net.SplitHostPort(m.address)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return // who cannot be found is no neighbour
	}
	m.own.Store(slices.ContainsFunc(addresses, isOwn))
}

const lookupTimeout = 10 * time.Second

// isOwn reports whether an address is this machine's.
func isOwn(a netip.Addr) bool {
	a = a.Unmap()
	if a.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(o net.Addr) bool {
		p, err := netip.ParsePrefix(o.String())
		return err == nil && p.Addr().Unmap() == a
	})
}

// cluster are the members that know the same.
type cluster struct {
	members  []*member
	silent   atomic.Bool // nobody answers
	onVoice  func()      // called when somebody answers again; may be nil
	onOutage func() (over func())

	mu    sync.Mutex
	since time.Time // since when it is silent
	over  func()    // of the outage under way; nil without one
}

// asked notes that a member owes an answer since then.
func (c *cluster) asked(m *member, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.owes.IsZero() {
		m.owes = at
	}
}

// answer notes that a member has answered what it was asked at begun.
func (c *cluster) answer(m *member, begun, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.steady.IsZero() || m.owes.Before(begun) {
		m.steady = now
	}
	m.owes, m.answered, m.doubted = time.Time{}, begun, false
}

// pokeAll has all asked at once: whoever answers shows who alone does not.
func (c *cluster) pokeAll() {
	for _, m := range c.members {
		select {
		case m.poke <- struct{}{}:
		default:
		}
	}
}

// judge leaves those out who do not answer while another one does, and takes those
// back that have answered for a while, or without whom nobody would.
func (c *cluster) judge(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		owed, sure := c.owed(m)
		m.late.Store(owed >= patience)
		switch {
		case owed >= leaveAfter && sure && !m.left.Load():
			m.leaveOut(now)
		case owed >= leaveAfter && !m.left.Load() && !m.doubted:
			m.doubted = true
			c.pokeAll() // those that wait may answer now
			time.AfterFunc(grace, c.pokeAll)
		case m.left.Load() && m.owes.IsZero() && (now.Sub(m.steady) >= settled || !c.otherAnswers(m, now)):
			m.takeBack(now)
		}
	}
	c.listen(now)
	switch trouble := c.silent.Load() || slices.ContainsFunc(c.members, func(m *member) bool { return m.left.Load() }); {
	case c.onOutage == nil:
	case trouble && c.over == nil:
		c.over = c.onOutage()
	case !trouble && c.over != nil:
		c.over()
		c.over = nil
	}
}

// listen notes whether anybody answers.
func (c *cluster) listen(now time.Time) {
	// As long as nobody ever has answered, there is a start, which says so itself.
	first, answered := now, !slices.ContainsFunc(c.members, func(m *member) bool { return !m.answered.IsZero() })
	for _, m := range c.members {
		if m.owes.IsZero() {
			answered = true
		} else if m.owes.Before(first) {
			first = m.owes
		}
		answered = answered || now.Sub(m.owes) < silence
	}
	switch {
	case !answered && !c.silent.Load():
		c.since = first
		c.silent.Store(true)
		klog.ErrorS(nil, "No member of etcd answers with the agreement of most others", "members", len(c.members))
	case answered && c.silent.Load():
		c.silent.Store(false)
		klog.InfoS("etcd answers again", "after", now.Sub(c.since).Round(time.Second))
		if c.onVoice != nil {
			c.onVoice()
		}
	}
}

// owed is for how long a member had owed an answer when another one was asked that
// has answered, and whether that other one has answered for long enough.
func (c *cluster) owed(m *member) (longest time.Duration, sure bool) {
	for _, other := range c.members {
		if other == m || m.owes.IsZero() {
			continue
		}
		owed := other.answered.Sub(m.owes)
		longest = max(longest, owed)
		sure = sure || owed >= leaveAfter && other.answered.Sub(other.steady) >= grace
	}
	return longest, sure
}

// otherAnswers reports whether another member answers that is not left out.
func (c *cluster) otherAnswers(m *member, now time.Time) bool {
	return slices.ContainsFunc(c.members, func(other *member) bool {
		return other != m && !other.left.Load() && !other.answered.IsZero() && (other.owes.IsZero() || now.Sub(other.owes) < patience)
	})
}

func (m *member) leaveOut(now time.Time) {
	m.leftAt, m.back, m.steady = now, make(chan struct{}), time.Time{}
	m.left.Store(true)
	answers.WithLabelValues(m.endpoint).Set(0)
	closed := m.conns.close()
	klog.InfoS("A member of etcd does not answer while others do; the apiserver asks those", "endpoint", m.endpoint, "connections", closed)
}

func (m *member) takeBack(now time.Time) {
	m.left.Store(false)
	close(m.back)
	m.back = nil
	answers.WithLabelValues(m.endpoint).Set(1)
	klog.InfoS("The member of etcd answers again", "endpoint", m.endpoint, "after", now.Sub(m.leftAt).Round(time.Second))
}

// whenBack returns what is closed when the member is not left out any more, or nil.
func (m *member) whenBack() <-chan struct{} {
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	return m.back
}
