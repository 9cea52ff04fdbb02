// SPDX-License-Identifier: Apache-2.0

// Package etcdcluster runs the embedded etcd as a cluster, on three hosts in
// network namespaces: formed, broken, replaced, grown, saved and restored.
package etcdcluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

func TestThreeControllersAreOneCluster(t *testing.T) {
	e := harness.New(t)
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	nodes := trio.Hosts(e)
	first, second, third := nodes[0], nodes[1], nodes[2]

	// No authority of its own.
	first.Root = e.Path("empty")
	first.Start()
	first.AwaitEnd("--controllers", "khw-controller init --controllers "+trio.Controllers)

	for _, n := range nodes {
		n.Prepare(lab, "first")
	}
	// One after another; it takes two.
	first.Start()
	first.AwaitStatus("waiting for quorum: controller-1, controller-2 do not answer")
	second.Start()
	first.AwaitReady()
	second.AwaitReady()
	third.Start()
	third.AwaitReady()
	first.MustBeVoters()

	leaderDies(nodes)
	third.Start()
	third.AwaitReady()
	writes := trio.StartWrites(first)
	writes.AwaitMore(e, 100)
	saved := snapshotOf(second)
	writes.Stop()

	for _, n := range nodes {
		n.Stop()
	}
	first.Refuses("is not empty", "etcd", "snapshot", "restore", saved)
	isNoCopyOf(third, first)
	restored := func(n *trio.Node) {
		n.Prepare(lab, "fresh")
		n.Do("etcd", "snapshot", "restore", saved)
		n.Start()
	}
	restored(first)
	restored(second)
	second.AwaitReady()
	third.Start() // with the data of before
	third.AwaitEnd("belong to another cluster than those of controller-0 and controller-1", "move them away")
	restored(third)
	first.AwaitReady()
	third.AwaitReady()
	first.MustBeVoters()
	kept.MustAllBeOn(second)

	isReplaced(first, third)
}

// kept is what leaderDies has written.
var kept *trio.Writes

// leaderDies kills the member that leads while somebody writes through another.
func leaderDies(nodes []*trio.Node) {
	first, third := nodes[0], nodes[2]
	first.Helper()
	kept = trio.StartWrites(first)
	kept.AwaitMore(first.Env, 200)
	first.Do("etcd", "move-leader", "controller-2")
	kept.AwaitMore(first.Env, 50)
	third.Process.Kill()
	kept.AwaitMore(first.Env, 200)
	kept.Stop()
	kept.MustAllBeOn(nodes[1])
}

// snapshotOf saves a snapshot and returns its file.
func snapshotOf(n *trio.Node) string {
	n.Helper()
	n.Do("etcd", "snapshot", "save")
	files, err := filepath.Glob(filepath.Join(n.Root, "var/lib/khw-controller/snapshots/*"))
	n.Must(err)
	if len(files) != 1 {
		n.Fatalf("after a save there are %v", files)
	}
	n.Refuses("stop it on every controller", "etcd", "snapshot", "restore", files[0])
	return files[0]
}

// isNoCopyOf puts another's data in the place of n's, and back.
func isNoCopyOf(n, other *trio.Node) {
	n.Helper()
	own := n.Etcd() + "-own"
	n.Must(os.Rename(n.Etcd(), own))
	n.Must(os.CopyFS(n.Etcd(), os.DirFS(other.Etcd())))
	n.Start()
	n.AwaitEnd("holds a copy of the data of "+other.Name, "move it away")
	n.Must(os.RemoveAll(n.Etcd()))
	n.Must(os.Rename(own, n.Etcd()))
}

// isReplaced loses the data of one member and has it join anew.
func isReplaced(other, lost *trio.Node) {
	other.Helper()
	lost.Stop()
	lost.Must(os.RemoveAll(lost.Etcd()))
	lost.Start()
	lost.AwaitEnd(lost.Name+" is a member already", "etcd member remove "+lost.Name)
	other.Do("etcd", "member", "remove", lost.Name)
	lost.Start()
	lost.AwaitEnd("of which "+lost.Name+" is no member", "etcd member add "+lost.Name)
	other.Do("etcd", "member", "add", lost.Name)
	lost.Start()
	lost.AwaitReady()
	lost.MustBeVoters()
	kept.MustAllBeOn(lost)
}

func TestOneControllerGrowsToThree(t *testing.T) {
	e := harness.New(t)
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	nodes := trio.Hosts(e)
	first := nodes[0]
	for _, n := range nodes {
		n.Prepare(lab, "grown")
	}
	grown := first.Args
	first.Args = []string{"--advertise-address", first.Address, "--snapshot-interval", "0"}
	first.Start()
	first.AwaitReady()
	writes := trio.StartWrites(first)
	writes.AwaitMore(e, 100)
	writes.Stop()
	first.Stop()

	first.Args = grown
	first.Start()
	first.AwaitReady()
	for _, n := range nodes[1:] {
		n.Start()
		n.AwaitEnd("of which " + n.Name + " is no member")
		first.Do("etcd", "member", "add", n.Name)
		n.Start()
		n.AwaitReady()
	}
	if got := first.Do("etcd", "member", "add", "controller-1"); got != "controller-1=10.240.0.11 is a member already\n" {
		t.Errorf("added again: %q", got)
	}
	// The first's member is called by the machine's name until it is started anew.
	first.Stop()
	writes.MustAllBeOn(nodes[2])
	first.Args = []string{"--advertise-address", first.Address}
	first.Start()
	first.AwaitEnd("holds the data of a member of a cluster", "set --controllers")
	first.Args = grown
	first.Start()
	first.AwaitReady()
	first.MustBeVoters()
}
