// SPDX-License-Identifier: Apache-2.0

// Package leaselost takes leases away from a running controller: the component
// stops and stands by again, and nothing else happens.
package leaselost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

const thief = "somebody-else"

func TestLostLeaseStopsOneComponentOnly(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Args = []string{"--kube-apiserver-arg", e.AuditPolicy()}
	c.StartReady()
	alive := watchOver(c)
	churn := e.StartChurn(c.Client())
	churn.AwaitWork()

	for i, lease := range cluster.Leases() {
		other := cluster.Leases()[1-i]
		steal(c, lease)
		c.AwaitStatus(lease + " standby (" + thief + " leads)")
		if status := c.Notify.Last("STATUS"); !strings.Contains(status, other+" leading") {
			t.Errorf("%s was lost, and %s does not lead: %s", lease, other, status)
		}
		// The thief never renews: the lease is free once it has expired.
		c.AwaitStatus(lease + " leading")
		churn.AwaitWork()
	}
	churn.Pause()

	for _, lease := range cluster.Leases() {
		lost, stoodBy := c.Notify.First("STATUS", func(v string) bool { return strings.Contains(v, lease+" starting (the leader lease was lost)") })
		if !stoodBy {
			t.Fatalf("no STATUS said that the lease %s was lost", lease)
		}
		tenures, err := cluster.Tenures(t.Context(), c.EtcdClient(c.Lab(""), fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdClient)), lease)
		e.Must(err)
		if len(tenures) != 3 || tenures[1].Holder != thief {
			t.Fatalf("%s: the tenures were %v, want ours, %s's and ours", lease, tenures, thief)
		}
		// What it still did before it noticed is not held against it.
		tenures[0].To, tenures[1].From = lost.Time, lost.Time
		cluster.Attribute(tenures, lease, "controller", c.Audit(c.Root))
		if n := tenures[1].Acts["controller"]; n > 0 {
			t.Errorf("%s: %d acts after the lease was lost", lease, n)
		}
		if tenures[0].Acts["controller"] == 0 || tenures[2].Acts["controller"] == 0 {
			t.Errorf("%s: it did nothing while it led: %v", lease, tenures)
		}
	}
	alive.mustHaveBeen(t)
	c.StopInOrder()
}

// TestPausedEtcd takes the leases away by what takes them in practice: a disk or
// a network that stalls for longer than a lease lasts.
func TestPausedEtcd(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 1)
	c.EtcdServers = etcd.URLs()
	c.StartReady()
	churn := e.StartChurn(c.Client())
	churn.AwaitWork()

	e.Must(etcd.Processes[0].Signal(syscall.SIGSTOP))
	for _, lease := range cluster.Leases() {
		c.WithinAlive(c.Process, harness.Patience, lease+" to stop leading", func(context.Context) error {
			if status := c.Notify.Last("STATUS"); strings.Contains(status, lease+" leading") {
				return errors.New(status)
			}
			return nil
		})
	}
	if status := c.Notify.Last("STATUS"); !strings.HasPrefix(status, "degraded: kube-apiserver running (") {
		t.Errorf("without etcd the status is %q", status)
	}
	e.Must(etcd.Processes[0].Signal(syscall.SIGCONT))
	c.AwaitStatus("ready: kube-apiserver running, kube-controller-manager leading, kube-scheduler leading")
	churn.AwaitWork()
	c.StopInOrder()
}

// steal writes another holder into a lease.
func steal(c *harness.Controller, name string) {
	c.Helper()
	leases := c.Client().CoordinationV1().Leases(metav1.NamespaceSystem)
	c.Must(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		l, err := leases.Get(c.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		holder, now := thief, metav1.NowMicro()
		l.Spec.HolderIdentity, l.Spec.AcquireTime, l.Spec.RenewTime = &holder, &now, &now
		_, err = leases.Update(c.Context(), l, metav1.UpdateOptions{})
		return err
	}))
}

// guard asks the apiserver all the time whether it lives.
type guard struct {
	process *process.Process

	cancel context.CancelFunc
	wg     sync.WaitGroup
	asked  int
	first  error
}

func watchOver(c *harness.Controller) *guard {
	ctx, cancel := context.WithCancel(c.Context())
	g := &guard{process: c.Process, cancel: cancel}
	client := c.Client()
	g.wg.Go(func() { g.watch(ctx, client) })
	c.Cleanup(func() { cancel(); g.wg.Wait() })
	return g
}

func (g *guard) watch(ctx context.Context, client kubernetes.Interface) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := cluster.Readyz(ctx, client)
		if ctx.Err() != nil {
			return
		}
		g.asked++
		if err != nil && g.first == nil {
			g.first = err
		}
	}
}

// mustHaveBeen ends the watch and fails the test unless every answer was ok, and
// by the same process.
func (g *guard) mustHaveBeen(t *testing.T) {
	t.Helper()
	g.cancel()
	g.wg.Wait()
	if g.first != nil {
		t.Errorf("the apiserver was not ready all the time: %v", g.first)
	}
	if g.asked == 0 || !g.process.Running() {
		t.Errorf("asked %d times; the process runs: %v", g.asked, g.process.Running())
	}
}
