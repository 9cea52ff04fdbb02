// SPDX-License-Identifier: Apache-2.0

// Package cluster measures what three controllers take, on hosts in network
// namespaces of one machine: to form a cluster, to take over, and to be saved while
// they serve. It judges nothing: make bench-cluster prints what it says.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// TestFormation is from the start of the processes, on empty data, until all are
// ready and both leases are held.
func TestFormation(t *testing.T) {
	e := harness.New(t)
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	nodes := trio.Hosts(e)
	alone := nodes[0]
	all := alone.Args
	alone.Args = []string{"--advertise-address", alone.Address, "--snapshot-interval", "0"}
	alone.Prepare(lab, "alone")
	single := until(alone)
	alone.Stop()
	alone.Args = all
	for _, n := range nodes {
		n.Prepare(lab, "root")
	}
	three := until(nodes...)
	t.Logf("from nothing to all leases held: one controller %.1f s, three at once %.1f s", single.Seconds(), three.Seconds())
}

// until is how long nodes take to be ready.
func until(nodes ...*trio.Node) time.Duration {
	begun := time.Now()
	for _, n := range nodes {
		n.Start()
	}
	for _, n := range nodes {
		n.AwaitReady()
	}
	return time.Since(begun)
}

// TestTakeover is from kill -9 of the controller that leads until another one does.
func TestTakeover(t *testing.T) {
	e := harness.New(t)
	nodes := trio.Started(e)
	for _, component := range []string{"kube-controller-manager", "kube-scheduler"} {
		leads := func(n *trio.Node) bool { return leads(n, component) }
		nodes[0].Eventually("a leader", func(context.Context) error {
			if !slices.ContainsFunc(nodes, leads) {
				return errors.New("none leads")
			}
			return nil
		})
		dead := nodes[slices.IndexFunc(nodes, leads)]
		others := slices.DeleteFunc(slices.Clone(nodes), func(n *trio.Node) bool { return n == dead })
		client := others[0].Client().CoreV1().ConfigMaps(metav1.NamespaceDefault)
		begun := time.Now()
		dead.Process.Kill()
		var written time.Duration
		others[0].Eventually("a write", func(ctx context.Context) error {
			_, err := client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "w-"}}, metav1.CreateOptions{})
			written = time.Since(begun)
			return err
		})
		others[0].Eventually("another leader", func(context.Context) error {
			if !slices.ContainsFunc(others, leads) {
				return errors.New("none of the others leads")
			}
			return nil
		})
		t.Logf("%s: %.1f s from kill -9 of its leader to another one; a write through another controller is acknowledged after %.1f s",
			component, time.Since(begun).Seconds(), written.Seconds())
		dead.Start()
		dead.AwaitReady()
	}
}

// leads reports whether a component leads there.
func leads(n *trio.Node, component string) bool {
	n.Helper()
	// It exits with another code than 0 while something is wrong.
	out, _ := n.Command(n.Context(), n.Binary(), "status", "--root", n.Root, "-o", "json").Output()
	var report status.Report
	n.Must(json.Unmarshal(out, &report))
	return slices.ContainsFunc(report.Components, func(s supervisor.Status) bool {
		return s.Component == component && s.State == supervisor.Leading
	})
}

// Of the snapshot: so many objects of so many bytes, and how long writes are measured
// with and without it.
const (
	objects    = 560
	objectSize = 900 << 10
	measured   = 15 * time.Second
)

// TestSnapshotWhileServing is what saving a database of 500 MB adds to writes.
func TestSnapshotWhileServing(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady()
	client := c.Client()
	fill(c, client)
	before := latencies(c, client, time.After(measured))
	saved := make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(saved)
		if out, err := exec.CommandContext(c.Context(), c.Binary(), append([]string{"etcd", "snapshot", "save"}, c.RunArgs()...)...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}()
	during := latencies(c, client, saved)
	took := time.Since(begun)
	t.Logf("a snapshot of %d MB takes %.1f s; a write takes %s (p99 %s) while it is saved, and %s (p99 %s) else",
		objects*objectSize>>20, took.Seconds(), quantile(during, 0.5), quantile(during, 0.99), quantile(before, 0.5), quantile(before, 0.99))
}

func fill(c *harness.Controller, client *kubernetes.Clientset) {
	c.Helper()
	data := make([]byte, objectSize)
	for i := range objects {
		_, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(c.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("big-%d", i)}, BinaryData: map[string][]byte{"x": data},
		}, metav1.CreateOptions{})
		c.Must(err)
	}
}

// latencies are those of writes, one after the other, until the end.
func latencies[T any](c *harness.Controller, client *kubernetes.Clientset, end <-chan T) []time.Duration {
	c.Helper()
	var all []time.Duration
	for {
		select {
		case <-end:
			return all
		default:
		}
		begun := time.Now()
		_, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(c.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "w-"}}, metav1.CreateOptions{})
		c.Must(err)
		all = append(all, time.Since(begun))
	}
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(float64(len(all))*q), len(all)-1)].Round(10 * time.Microsecond)
}
