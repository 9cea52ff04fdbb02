// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
)

// packets are rules of nft for what comes in to a node, and what goes out.
type packets struct{ in, out []string }

var (
	all     = packets{in: []string{"drop"}, out: []string{"drop"}}
	unheard = packets{out: []string{"drop"}}
	deaf    = packets{in: []string{"drop"}}
	// ofEtcd are those between members, and of their clients on other nodes.
	ofEtcd = packets{in: etcdPorts, out: etcdPorts}
	// aTenth is lost of what comes in.
	aTenth = packets{in: []string{"numgen random mod 10 < 1 drop"}}

	etcdPorts = []string{"tcp dport { 2379, 2380 } drop", "tcp sport { 2379, 2380 } drop"}
)

// drop has a node's packets dropped by rules, and returns what mends it.
func (n *node) drop(p packets) func() {
	n.Helper()
	commands := []string{
		"add table inet fault",
		"add chain inet fault in { type filter hook input priority 0; }",
		"add chain inet fault out { type filter hook output priority 0; }",
	}
	for _, rule := range p.in {
		commands = append(commands, "add rule inet fault in iifname eth0 "+rule)
	}
	for _, rule := range p.out {
		commands = append(commands, "add rule inet fault out oifname eth0 "+rule)
	}
	n.NFT(commands...)
	return func() { n.NFT("delete table inet fault") }
}

// proxyGroup is the group of toxiproxy, whose own connections are not led to it.
const proxyGroup = 65534

// proxyControl is where toxiproxy is told what to do.
const proxyControl = "127.0.0.1:8474"

// delayPeers leads the connections of a node's member to the other members over
// toxiproxy, which has every message take a while.
func (s *site) delayPeers(n *node) func() {
	n.Helper()
	proxy := n.Host.Start(fmt.Sprintf("toxiproxy-%s-%d", n.Name, s.served), toxiproxy(s))
	redirect := []string{"add table ip delay", "add chain ip delay out { type nat hook output priority -100; }"}
	for i, o := range s.others(n) {
		port := 8480 + i
		s.await("toxiproxy on "+n.Name, n.delay(o.Name, port, o.Address+":2380"))
		redirect = append(redirect, fmt.Sprintf("add rule ip delay out meta skgid != %d ip daddr %s tcp dport 2380 redirect to :%d", proxyGroup, o.Address, port))
	}
	// The connections that are there already are ended: their packets are not redirected.
	redirect = append(redirect, "add chain ip delay old { type filter hook output priority 0; }",
		fmt.Sprintf("add rule ip delay old oifname eth0 meta skgid != %d tcp dport 2380 reject with tcp reset", proxyGroup))
	n.NFT(redirect...)
	return func() {
		n.NFT("delete table ip delay")
		proxy.Kill() // and with it the connections
	}
}
