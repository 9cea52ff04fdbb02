// SPDX-License-Identifier: Apache-2.0

// Package auditlog holds what the apiserver records of a start against what it records
// of the stock daemons': the same requests, made by the same users, that have gone
// through the same authentication and authorization.
package auditlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// fewest is a start of which not all has been seen yet: stock's has 188 kinds of
// requests.
const fewest = 170

// TestAStartMakesStocksRequests compares sets that only grow, until they agree: which
// of the requests comes first is up to the machine, and so is how often one is made.
func TestAStartMakesStocksRequests(t *testing.T) {
	e := harness.New(t)
	policy := e.AuditPolicy(cluster.AuditEverything)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	stock, daemons := startStock(e, c, policy)
	c.Args = []string{"--kube-apiserver-arg", policy}
	c.StartReady()
	e.Eventually("our first service account", func(ctx context.Context) error { return cluster.DefaultServiceAccount(ctx, c.Client()) })

	log := func(root string) requests { return requestsIn(e.Audit(root)) }
	e.Eventually("the same requests from both", func(context.Context) error {
		theirs, ours := log(stock.Root), log(c.Root)
		if len(theirs) < fewest {
			return fmt.Errorf("stock has made %d kinds of requests so far", len(theirs))
		}
		return errors.Join(missing(theirs, ours), missing(ours, theirs))
	})
	c.StopInOrder()
	for _, d := range slices.Backward(daemons) {
		_, err := d.Stop(harness.Patience)
		e.Must(err)
	}

	theirs, ours := log(stock.Root), log(c.Root)
	e.Logf("%d kinds of requests, stock's are %d", len(ours), len(theirs))
	if err := errors.Join(missing(theirs, ours), missing(ours, theirs)); err != nil {
		t.Errorf("after an orderly end: %v", err)
	}
	compare(t, theirs, ours)
	stale(t, theirs, ours)
}

// startStock starts the stock daemons one after the other, so that none asks in vain.
func startStock(e *harness.Env, from *harness.Controller, policy string) (*harness.Stock, []*process.Process) {
	e.Helper()
	stock := e.Stock("stock", from, e.StartEtcd(from.Lab(""), 1))
	client := stock.Client()
	apiserver := stock.Start(lab.APIServer, "--"+policy)
	e.WithinAlive(apiserver, harness.Patience, "the stock apiserver", func(ctx context.Context) error { return cluster.Readyz(ctx, client) })
	daemons := []*process.Process{apiserver, stock.Start(lab.ControllerManager), stock.Start(lab.Scheduler)}
	e.Eventually("the stock leases", func(ctx context.Context) error { return cluster.BothHeld(ctx, client) })
	e.Eventually("stock's first service account", func(ctx context.Context) error { return cluster.DefaultServiceAccount(ctx, client) })
	return stock, daemons
}

// missing names the requests of one that the other has not made, nor what takes their
// place, but for those that are known to differ.
func missing(one, other requests) error {
	var names []string
	for r := range one {
		_, made := other[r]
		_, did := other[r.instead()]
		if !made && !did && !slices.ContainsFunc(differences, func(d difference) bool { return d.matches(r) }) {
			names = append(names, r.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("only one of the two makes these requests; mend it, or say in differences_test.go why:\n%s", strings.Join(names, "\n"))
}

// compare wants to find in every request of ours what all of them have in stock's log,
// and of each kind what stock's have.
func compare(t *testing.T, theirs, ours requests) {
	t.Helper()
	common := theirs.common()
	for _, want := range []string{"annotation authorization.k8s.io/decision", "annotation authorization.k8s.io/reason", "source address", "user agent"} {
		if !common[want] {
			t.Errorf("not all of stock's requests have %s: what is there to compare?", want)
		}
	}
	for r, marks := range ours {
		want := maps.Clone(common)
		maps.Copy(want, theirs[r])
		for mark := range want {
			if !marks[mark] && !healthProxys(r, mark) {
				t.Errorf("%s: a request without the %s that stock's have", r, mark)
			}
		}
	}
}

// stale wants every difference on the list to be one.
func stale(t *testing.T, theirs, ours requests) {
	t.Helper()
	for _, d := range differences {
		inOne := func(one, other requests) bool {
			for r := range one {
				if _, made := other[r]; d.matches(r) && !made {
					return true
				}
			}
			return false
		}
		if !d.sometimes && !inOne(theirs, ours) && !inOne(ours, theirs) {
			t.Errorf("both make %s, or none does: take it off the list of differences", d.request)
		}
	}
}
