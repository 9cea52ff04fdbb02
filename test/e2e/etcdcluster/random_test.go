// SPDX-License-Identifier: Apache-2.0

package etcdcluster

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// A run of random steps is told by these, so that one that failed can be made again;
// a longer one is made by hand: STEPS=100 SEED=7 make e2e SCENARIO=etcdcluster. By
// default the encryption key is rotated, a controller is killed, the lead of etcd is
// moved, one is restarted with new certificates, all lose their power, one is
// replaced, and one is defragmented.
const (
	defaultSeed  = 4020
	defaultSteps = 7
)

// life is a cluster to which things happen, of which at most one member is down.
type life struct {
	*testing.T
	nodes []*trio.Node
	down  *trio.Node
	wrote []*trio.Writes
}

// steps are what may happen to a node. Those that stop one begin with all three.
var steps = []struct {
	name  string
	stops bool
	do    func(*life, *trio.Node)
}{
	{"kill", true, func(l *life, n *trio.Node) { n.Process.Kill(); l.down = n }},
	{"stop", true, func(l *life, n *trio.Node) { n.Stop(); l.down = n }},
	{"restart", true, func(_ *life, n *trio.Node) { n.Stop(); n.Start() }},
	{"kill and start", true, func(_ *life, n *trio.Node) { n.Process.Kill(); n.Start() }},
	{"replace", true, func(l *life, n *trio.Node) {
		n.Process.Kill()
		n.Must(os.RemoveAll(n.Etcd()))
		other := l.other(n)
		other.Do("etcd", "member", "remove", n.Name)
		other.Do("etcd", "member", "add", n.Name)
		n.Start()
		n.AwaitReady()
		n.MustBeVoters() // else the next loss is one too many
	}},
	{"renew, and restart", true, func(_ *life, n *trio.Node) { n.Do("certs", "renew", "--all"); n.Stop(); n.Start() }},
	{"cut the power of all", false, func(l *life, _ *trio.Node) {
		for _, n := range l.nodes {
			n.Process.Kill()
		}
		for _, n := range l.nodes {
			n.Start()
		}
		l.down = nil
	}},
	{"renew", false, func(_ *life, n *trio.Node) { n.Do("certs", "renew", "--all") }},
	{"rotate the encryption key", true, func(_ *life, n *trio.Node) { n.Do("secrets-encrypt", "rotate") }},
	{"make it the leader", false, func(_ *life, n *trio.Node) { n.Do("etcd", "move-leader", n.Name) }},
	{"defragment", false, func(_ *life, n *trio.Node) { n.Do("etcd", "defrag") }},
	{"save a snapshot", false, func(_ *life, n *trio.Node) { n.Do("etcd", "snapshot", "save") }},
}

// other returns a node beside n that runs.
func (l *life) other(n *trio.Node) *trio.Node {
	for _, o := range l.nodes {
		if o != n && o != l.down {
			return o
		}
	}
	l.Fatal("none but " + n.Name + " runs")
	return nil
}

// awaitReady waits until all that are not down are ready.
func (l *life) awaitReady() {
	l.Helper()
	for _, n := range l.nodes {
		if n != l.down {
			n.AwaitReady()
		}
	}
}

// start starts the one that is down.
func (l *life) start() {
	l.down.Start()
	l.down = nil
}

// number is a number of the environment, for one that has a default.
func number(t *testing.T, name string, value int) int {
	t.Helper()
	if text := os.Getenv(name); text != "" {
		var err error
		if value, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return value
}

// TestRandomOrdersEndInOneHealthyCluster does things in an order that its seed tells,
// while somebody writes through every node.
func TestRandomOrdersEndInOneHealthyCluster(t *testing.T) {
	seed, count := number(t, "SEED", defaultSeed), number(t, "STEPS", defaultSteps)
	e := harness.New(t)
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	l := &life{T: t, nodes: trio.Hosts(e)}
	for _, n := range l.nodes {
		n.Prepare(lab, "random")
		n.Start()
	}
	l.awaitReady()
	for _, n := range l.nodes {
		l.wrote = append(l.wrote, trio.StartWritesAs(n, n.Lab("admin.kubeconfig"), 2))
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	var order []int
	for i := range count {
		if i%len(steps) == 0 {
			order = random.Perm(len(steps)) // each of them once, before any comes again
		}
		n, step := l.nodes[random.IntN(len(l.nodes))], steps[order[i%len(steps)]]
		if l.down != nil && (step.stops || n == l.down) {
			l.start()
			l.awaitReady()
		}
		t.Logf("seed %d, step %d of %d: %s: %s", seed, i+1, count, n.Name, step.name)
		step.do(l, n)
		l.awaitReady()
		for k, n := range l.nodes {
			if n != l.down {
				l.wrote[k].AwaitMore(e, 20)
			}
		}
	}
	if l.down != nil {
		l.start()
	}
	l.awaitReady()
	l.nodes[0].MustBeVoters()
	for _, w := range l.wrote {
		w.Stop()
		for _, n := range l.nodes {
			w.MustAllBeOn(n)
		}
	}
}
