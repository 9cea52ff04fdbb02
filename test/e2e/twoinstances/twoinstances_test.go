// SPDX-License-Identifier: Apache-2.0

// Package twoinstances runs two controllers and the stock daemons on one etcd,
// and stops, kills and pauses who leads: another one takes over, and by the
// audit logs there are never two that act.
package twoinstances

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// handover is the longest that nobody may lead after an orderly stop, where ours take
// over: the stock daemons look every 2 to 4.4 s (RetryPeriod, and JitterFactor of
// k8s.io/client-go/tools/leaderelection).
const handover = 3 * time.Second

func TestOneLeadsAtATime(t *testing.T) {
	e := harness.New(t)
	policy := e.AuditPolicy(cluster.AuditWrites)
	first, second, etcd := e.Pair(1)
	for _, c := range []*harness.Controller{first, second} {
		c.Args = []string{"--kube-apiserver-arg", policy}
	}
	// Its apiserver is the one that is always there, and the stock replicas' own.
	stock := e.Stock("stock", first, etcd)
	apiserver := stock.Start(lab.APIServer, "--"+policy)
	e.WithinAlive(apiserver, harness.Patience, "the stock apiserver", func(ctx context.Context) error {
		return cluster.Readyz(ctx, stock.Client())
	})

	first.StartReady()
	leads(first)
	churn := e.StartChurn(stock.Client())
	second.StartReady()
	standsBy(second)
	churn.AwaitWork()

	first.StopInOrder()
	leads(second)
	churn.AwaitWork()

	first.StartReady()
	standsBy(first)
	second.Process.Kill()
	leads(first)
	churn.AwaitWork()

	second.StartReady()
	standsBy(second)
	// Paused with nothing in flight: on waking up it has everything to do that
	// was done without it.
	churn.Pause()
	e.Must(first.Process.Signal(syscall.SIGSTOP))
	leads(second)
	churn.Resume()
	churn.AwaitWork()
	e.Must(first.Process.Signal(syscall.SIGCONT))
	standsBy(first)
	churn.AwaitWork()

	replicas := map[lab.Component]*process.Process{}
	for _, c := range []lab.Component{lab.ControllerManager, lab.Scheduler} {
		replicas[c] = stock.Start(c)
		e.WithinAlive(replicas[c], harness.Patience, "the stock replica to stand by", contends(replicas[c]))
	}
	first.StopInOrder()
	second.StopInOrder()
	churn.AwaitWork() // the stock replicas lead
	first.StartReady()
	standsBy(first)
	for _, p := range replicas {
		p.Kill()
	}
	leads(first)
	churn.AwaitWork()
	churn.Pause()
	first.StopInOrder()

	audits := map[string][]auditv1.Event{
		"first": e.Audit(first.Root), "second": e.Audit(second.Root), "stock": e.Audit(stock.Root),
	}
	want := []string{"first", "second", "first", "second", "stock", "first"}
	for _, lease := range cluster.Leases() {
		tenures, err := cluster.Tenures(t.Context(), etcd.Client(), lease)
		e.Must(err)
		order := e.LeadsAlone(lease, tenures, audits)
		if !slices.Equal(order, want) {
			t.Errorf("%s: acted in this order: %v, want %v", lease, order, want)
			continue
		}
		led := 0
		for _, tenure := range tenures {
			if tenure.Holder != "" {
				led++
				continue
			}
			if tenure.To.IsZero() {
				continue
			}
			took, next := tenure.To.Sub(tenure.From), want[led]
			t.Logf("%s: a handover to %s took %s", lease, next, took)
			if next != "stock" && took > handover {
				t.Errorf("%s: nobody led for %s after an orderly stop, want at most %s", lease, took, handover)
			}
		}
	}
}

func leads(c *harness.Controller) {
	c.Helper()
	c.AwaitStatus("kube-controller-manager leading, kube-scheduler leading")
}

func standsBy(c *harness.Controller) {
	c.Helper()
	c.Eventually(c.Name+" to stand by", func(context.Context) error {
		status := c.Notify.Last("STATUS")
		for _, lease := range cluster.Leases() {
			if !strings.Contains(status, lease+" standby ") {
				return errors.New(status)
			}
		}
		return nil
	})
}

// contends returns nil when a stock replica tries to get its lease.
func contends(p *process.Process) func(context.Context) error {
	return func(context.Context) error {
		if !slices.ContainsFunc(p.Lines(), func(l string) bool { return strings.Contains(l, "Attempting to acquire leader lease") }) {
			return errors.New("it does not try to get its lease yet")
		}
		return nil
	}
}
