// SPDX-License-Identifier: Apache-2.0

// Package faults does to three controllers behind a balancer what happens to them in
// practice, while clients write, read and watch through it. What was acknowledged must
// not be lost, no watch may have a gap, and nobody may act for a lease that another one
// holds, whatever happens. How long nobody was served, and how many requests failed, is
// printed, and judged against generous bounds.
//
// The core of it runs with the other scenarios; make e2e-faults runs all of it, and asks
// the stock daemons the same. Not here are leases that are stolen (leaselost), deleted
// (comesback), or held by stock daemons (twoinstances), default roles that are deleted
// (comesback), and an etcd that is out of its quota (etcdsnapshot).
package faults

import (
	"syscall"
	"time"
)

// fault is something that happens.
type fault struct {
	name string
	// on are the kinds of controllers that it can happen to.
	on []kind
	// lasts is how long, before it is undone, and core how long where it runs with the
	// other scenarios: longer than a lease, of 15 s, and than the balancer takes to notice.
	lasts, core time.Duration
	// prepare makes ready what is no part of it, and returns what puts that back.
	prepare func(*site) func()
	// do makes it happen, and returns what undoes it.
	do func(*site) (undo func())
	// without is the longest that a client may not be served, and perfect says that
	// not one request may fail, on khw-controller.
	without time.Duration
	perfect bool
	// steady says that health checks may change from yes to no once, and log is how many
	// lines one khw-controller may log while it lasts; 0 is any number.
	steady bool
	log    int
}

var (
	ours      = []kind{embedded, external}
	everybody = []kind{embedded, external, stock}
	apart     = []kind{external, stock} // etcd is a process of its own
)

// bound is what any fault of a minority may cost, generously.
const bound = time.Minute

// handful are the lines of a log that an outage of etcd may take: what it is, who does
// not work any more for it, what is counted, and its end.
const handful = 40

var table = []fault{
	{name: "nothing", on: everybody, lasts: 20 * time.Second, without: 10 * time.Second, perfect: true,
		do: func(*site) func() { return func() {} }},
	{name: "kill -9 of the leader", on: everybody, core: 20 * time.Second, lasts: 20 * time.Second, without: bound,
		do: func(s *site) func() { return kill(s.leader()) }},
	{name: "kill -9 of another", on: everybody, lasts: 20 * time.Second, without: bound,
		do: func(s *site) func() { return kill(s.others(s.leader())[0]) }},
	{name: "kill -9 of two of three", on: everybody, lasts: 20 * time.Second, without: 2 * bound,
		do: func(s *site) func() { l := s.leader(); return kill(l, s.others(l)[0]) }},
	{name: "kill -9 of all", on: everybody, lasts: 5 * time.Second, without: 2 * bound,
		do: func(s *site) func() { return kill(s.nodes...) }},
	{name: "orderly stop of the leader", on: everybody, lasts: 20 * time.Second, without: bound, perfect: true,
		do: func(s *site) func() { return stop(s.leader()) }},
	{name: "rolling restart", on: everybody, lasts: 0, without: bound, perfect: true, do: rolling},
	{name: "partition of the leader", on: everybody, core: 20 * time.Second, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return s.leader().drop(all) }},
	{name: "partition of its etcd only", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return s.leader().drop(ofEtcd) }},
	{name: "the leader hears nothing", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return s.leader().drop(deaf) }},
	{name: "nothing of the leader is heard", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return s.leader().drop(unheard) }},
	{name: "10 % of all packets lost", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return each(s.nodes, func(n *node) func() { return n.drop(aTenth) }) }},
	{name: "50 ms each way between the members", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return each(s.nodes, s.delayPeers) }},
	{name: "SIGSTOP of the leader", on: everybody, core: 20 * time.Second, lasts: time.Minute, without: 2 * bound,
		do: func(s *site) func() { return freeze(s.leader().control...) }},
	{name: "SIGSTOP of etcd's leader", on: apart, lasts: time.Minute, without: 2 * bound, steady: true, log: handful,
		do: func(s *site) func() { return freeze(s.leader().etcd) }},
	{name: "quorum of etcd lost", on: everybody, core: 10 * time.Second, lasts: time.Minute, without: 4 * bound, steady: true, log: handful,
		do: func(s *site) func() { l := s.leader(); return killEtcd(l, s.others(l)[0]) }},
	{name: "disk of etcd's leader full", on: everybody, lasts: time.Minute, without: 2 * bound,
		prepare: smallDisk, do: fillDisk},
	{name: "500 ms more for each fsync of a member", on: everybody, lasts: 30 * time.Second, without: bound, do: slowDisk},
	{name: "clock of the leader 5 min ahead", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return s.leader().clock(5 * time.Minute) }},
	{name: "clock of the leader 5 min behind", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return s.leader().clock(-5 * time.Minute) }},
	{name: "certificate of the leader expired, then renewed", on: ours, lasts: 15 * time.Second, without: bound,
		do: expire},
	{name: "one core at 20 % for the leader", on: everybody, lasts: 30 * time.Second, without: bound,
		do: func(s *site) func() { return s.leader().slow() }},
	{name: "a flood by one client", on: everybody, lasts: 30 * time.Second, without: bound, do: flood},
	{name: "10,000 bad requests on :6443", on: everybody, lasts: 0, without: bound,
		do: func(s *site) func() { return s.badRequests(6443) }},
	{name: "10,000 bad requests on :80", on: ours, lasts: 0, without: bound,
		do: func(s *site) func() { return s.badRequests(80) }},
	{name: "500 slow connections", on: everybody, lasts: 30 * time.Second, without: bound, do: slowConnections},
	{name: "cold start, etcd late", on: apart, lasts: time.Minute, without: 4 * bound, do: coldStart},
}

// each does something to all of them.
func each[T any](all []T, do func(T) func()) func() {
	var undo []func()
	for _, one := range all {
		undo = append(undo, do(one))
	}
	return func() {
		for _, u := range undo {
			u()
		}
	}
}

// kill ends controllers, whose etcd goes on where it is a process of its own.
func kill(nodes ...*node) func() {
	var all []*service
	for _, n := range nodes {
		all = append(all, n.control...)
	}
	return killed(all)
}

// killEtcd ends members.
func killEtcd(nodes ...*node) func() {
	var all []*service
	for _, n := range nodes {
		all = append(all, n.member())
	}
	return killed(all)
}

func killed(all []*service) func() {
	for _, v := range all {
		v.stopped = true
		v.signal(syscall.SIGKILL) // all of them before one is waited for
	}
	for _, v := range all {
		v.kill()
	}
	return func() { start(all) }
}

func start(all []*service) {
	for _, v := range all {
		v.start()
	}
}

// stop ends a controller in order, as systemd does when it is asked to.
func stop(n *node) func() {
	for i := range n.control {
		n.control[len(n.control)-1-i].stop()
	}
	return func() { start(n.control) }
}

// rolling restarts one controller after the other.
func rolling(s *site) func() {
	for _, n := range s.nodes {
		stop(n)()
		s.awaitWhole("with " + n.Name + " back")
	}
	return func() {}
}

// freeze stops services where they are.
func freeze(all ...*service) func() {
	for _, v := range all {
		v.signal(syscall.SIGSTOP)
	}
	return func() {
		for _, v := range all {
			v.signal(syscall.SIGCONT)
		}
	}
}
