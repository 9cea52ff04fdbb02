// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"maps"
	"time"

	"github.com/khw-controller/khw-controller/test/bench/pairs"
	"github.com/khw-controller/khw-controller/test/bench/subject"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

var suite = pairs.Suite{
	Title: "Stock: etcd and three daemons with the lab's flags, all started at once; a daemon that\n" +
		"gives up waiting for the apiserver is started again after 1 s.",
	Rows: []pairs.Row{
		{Key: "readyz", Name: "time to /readyz", Unit: "s", Digits: 2},
		{Key: "leases", Name: "time to both leases", Unit: "s", Digits: 2},
		{Key: "serviceaccount", Name: "time to the first default service account", Unit: "s", Digits: 2},
		{Key: "cpu-start", Name: "CPU time until then", Unit: "s", Digits: 2},
		{Key: "pss-idle", Name: "memory when idle (PSS)", Unit: "MB"},
		{Key: "cpu-idle", Name: "CPU time over 20 s idle", Unit: "s", Digits: 2},
		{Key: "pods", Name: "3,000 pods bound onto 500 nodes", Unit: "pods/s", More: true},
		{Key: "cpu-pods", Name: "CPU time for that", Unit: "s", Digits: 1},
		{Key: "pss-pods", Name: "memory after that (PSS)", Unit: "MB"},
		{Key: "series", Name: "time series on the three metrics pages after that", Unit: "series"},
		{Key: "restart", Name: "a restart on 10,000 objects to /readyz", Unit: "s", Digits: 2},
	},
	Measure: measure,
}

const (
	// settle is how long is waited before idleness is measured, and window for how
	// long it is.
	settle = 20 * time.Second
	window = 20 * time.Second
	// trailing is what the last bind leaves to be done: events, and status.
	trailing = 5 * time.Second
	// scrapeTimeout is what reading all metrics pages may take.
	scrapeTimeout = 30 * time.Second
)

// measure makes one run: what a restart takes is measured on a site of its own.
func measure(ctx context.Context, kind subject.Kind, want pairs.Wanted) (pairs.Figures, error) {
	all := pairs.Figures{}
	if want.Any("readyz", "leases", "serviceaccount", "cpu-start", "pss-idle", "cpu-idle", "pods", "cpu-pods", "pss-pods", "series") {
		if err := subject.Use(ctx, kind, nil, func(r *subject.Run) error { return measureLife(ctx, r, want, all) }); err != nil {
			return nil, err
		}
	}
	if want.Any("restart") {
		if err := subject.Use(ctx, kind, nil, func(r *subject.Run) error { return measureRestart(ctx, r, all) }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// measureLife measures a start from nothing, idleness and work, in this order.
func measureLife(ctx context.Context, r *subject.Run, want pairs.Wanted, all pairs.Figures) error {
	started, err := r.StartReady(ctx)
	if err != nil {
		return err
	}
	cpu, err := r.CPUSeconds()
	if err != nil {
		return err
	}
	maps.Copy(all, pairs.Figures{"readyz": started.Readyz, "leases": started.Leases, "serviceaccount": started.ServiceAccount, "cpu-start": cpu})
	if want.Any("pss-idle", "cpu-idle") {
		if err := measureIdle(ctx, r, all); err != nil {
			return err
		}
	}
	if want.Any("pods", "cpu-pods", "pss-pods", "series") {
		return measurePods(ctx, r, all)
	}
	return nil
}

func measureIdle(ctx context.Context, r *subject.Run, all pairs.Figures) (err error) {
	if err := subject.Rest(ctx, settle); err != nil {
		return err
	}
	if all["cpu-idle"], err = subject.CPUDuring(r.CPUSeconds, func() error { return subject.Rest(ctx, window) }); err != nil {
		return err
	}
	all["pss-idle"], err = subject.PSS(r.PIDs())
	return err
}

func measurePods(ctx context.Context, r *subject.Run, all pairs.Figures) (err error) {
	all["cpu-pods"], err = subject.CPUDuring(r.CPUSeconds, func() (err error) {
		if all["pods"], err = r.BindPods(ctx); err != nil {
			return err
		}
		return subject.Rest(ctx, trailing)
	})
	if err != nil {
		return err
	}
	if all["pss-pods"], err = subject.PSS(r.PIDs()); err != nil {
		return err
	}
	all["series"], err = countSeries(ctx, r)
	return err
}

// countSeries returns what Prometheus would store of one scrape of all ports.
func countSeries(ctx context.Context, r *subject.Run) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	pages, err := cluster.MetricsPages(ctx, r.Lab("admin.kubeconfig"), r.Ports)
	return float64(cluster.Series(pages)), err
}
