// SPDX-License-Identifier: Apache-2.0

// Package leaselost takes leases away from a running controller: the component
// stops and stands by again, and nothing else happens.
package leaselost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

const thief = "somebody-else"

func TestLostLeaseStopsOneComponentOnly(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Args = []string{"--kube-apiserver-arg", e.AuditPolicy(cluster.AuditWrites)}
	c.StartReady()
	ready := probe(c)
	churn := e.StartChurn(c.Client())
	churn.AwaitWork()

	for i, lease := range cluster.Leases() {
		other := cluster.Leases()[1-i]
		e.Must(cluster.Steal(e.Context(), c.Client(), lease, thief))
		c.AwaitStatus(lease + " standby (" + thief + " leads)")
		if status := c.Notify.Last("STATUS"); !strings.Contains(status, other+" leading") {
			t.Errorf("%s was lost, and %s does not lead: %s", lease, other, status)
		}
		// The thief never renews: the lease is free once it has expired.
		c.AwaitStatus(lease + " leading")
		churn.AwaitWork()
	}
	churn.Pause()

	audit := c.Audit(c.Root)
	for _, lease := range cluster.Leases() {
		tenures, err := cluster.Tenures(t.Context(), c.EtcdClient(c.Lab(""), fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdClient)), lease)
		e.Must(err)
		if len(tenures) != 3 || tenures[1].Holder != thief {
			t.Fatalf("%s: the tenures were %v, want ours, %s's and ours", lease, tenures, thief)
		}
		// What it still did before it could know is not held against it.
		noticed, ok := refusedRenewal(audit, lease)
		if !ok {
			t.Fatalf("no renewal of the lease %s was refused", lease)
		}
		tenures[0].To, tenures[1].From = noticed.Add(reaction), noticed.Add(reaction)
		if stray := cluster.Attribute(tenures, lease, "controller", audit); len(stray) > 0 {
			t.Errorf("%s: acts in nobody's time:\n%s", lease, strings.Join(stray, "\n"))
		}
		if n := tenures[1].Acts["controller"]; n > 0 {
			t.Errorf("%s: %d acts after the lease was seen to be lost", lease, n)
		}
		if tenures[0].Acts["controller"] == 0 || tenures[2].Acts["controller"] == 0 {
			t.Errorf("%s: it did nothing while it led: %v", lease, tenures)
		}
		if _, told := c.Notify.First("STATUS", func(v string) bool { return strings.Contains(v, lease+" starting (the leader lease was lost)") }); !told {
			t.Errorf("no STATUS said that the lease %s was lost", lease)
		}
	}
	ready.mustHaveBeen(t)
	c.StopInOrder()
}

// reaction is what may pass between the answer that a renewal is refused and the
// last write: the elector reads the lease to see who has it, and what is in flight
// arrives. The next renewal would be due only after another 2 s, and it gives up
// by itself after 10 s.
const reaction = time.Second

// refusedRenewal returns when the replica was first told that a lease is not its
// own any more.
func refusedRenewal(audit []auditv1.Event, lease string) (time.Time, bool) {
	for _, e := range audit {
		if o := e.ObjectRef; e.User.Username == "system:"+lease && e.Verb == "update" &&
			o.Resource == "leases" && o.Name == lease && e.ResponseStatus.Code == http.StatusConflict {
			return e.StageTimestamp.Time, true
		}
	}
	return time.Time{}, false
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

// prober asks the apiserver all the time whether it is ready.
type prober struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	asked  int
	first  error
}

func probe(c *harness.Controller) *prober {
	ctx, cancel := context.WithCancel(c.Context())
	p := &prober{cancel: cancel}
	client := c.Client()
	p.wg.Go(func() { p.run(ctx, client) })
	c.Cleanup(func() { cancel(); p.wg.Wait() })
	return p
}

func (p *prober) run(ctx context.Context, client kubernetes.Interface) {
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
		p.asked++
		if err != nil && p.first == nil {
			p.first = err
		}
	}
}

// mustHaveBeen ends the questions and fails the test unless every answer was yes.
func (p *prober) mustHaveBeen(t *testing.T) {
	t.Helper()
	p.cancel()
	p.wg.Wait()
	if p.first != nil {
		t.Errorf("the apiserver was not ready all the time: %v", p.first)
	}
	if p.asked == 0 {
		t.Error("the apiserver was never asked")
	}
}
