// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/khw-controller/khw-controller/test/bench/pairs"
	"github.com/khw-controller/khw-controller/test/bench/subject"
)

func suite(f *fleet) pairs.Suite {
	return pairs.Suite{
		Title: "A big cluster without kubelets; every node's lease is renewed in time. After kill -9 of all\n" +
			"processes of one of the two, these are started again at once.",
		Rows: []pairs.Row{
			{Key: "load", Name: "making nodes, leases and running pods", Unit: "writes/s", More: true},
			{Key: "settled", Name: "until no node is tainted after that", Unit: "s"},
			{Key: "cpu-load", Name: "CPU time for both", Unit: "s"},
			{Key: "pss", Name: "memory after that (PSS)", Unit: "MB"},
			{Key: "cpu-idle", Name: "CPU time over 20 s with nodes' leases only", Unit: "s", Digits: 2},
			{Key: "readyz", Name: "from kill -9 to /readyz", Unit: "s", Digits: 1},
			{Key: "leases", Name: "to both leases", Unit: "s", Digits: 1},
			{Key: "pod", Name: "to a new pod that is bound", Unit: "s", Digits: 1},
			{Key: "cpu-failover", Name: "CPU time until then", Unit: "s", Digits: 1},
			{Key: "pss-failover", Name: "memory 20 s after that (PSS)", Unit: "MB"},
		},
		Measure: func(ctx context.Context, kind subject.Kind, want pairs.Wanted) (pairs.Figures, error) {
			all := pairs.Figures{}
			// A database of this size is beyond the default quota of etcd.
			err := subject.Use(ctx, kind, []string{"quota-backend-bytes=8589934592"}, func(r *subject.Run) error {
				return measure(ctx, r, f, want, all)
			})
			return all, err
		},
	}
}

// How long idleness is, and how long is waited before it is measured.
const (
	settle = 20 * time.Second
	window = 20 * time.Second
)

func measure(ctx context.Context, r *subject.Run, f *fleet, want pairs.Wanted, all pairs.Figures) (err error) {
	if _, err := r.StartReady(ctx); err != nil {
		return err
	}
	clients, err := newClients(r.Site)
	if err != nil {
		return err
	}
	beats := newHeartbeats(f.nodes, clients)
	all["cpu-load"], err = subject.CPUDuring(r.CPUSeconds, func() error {
		begun := time.Now()
		if err := f.load(ctx, clients, beats); err != nil {
			return err
		}
		all["load"] = float64(f.writes()) / time.Since(begun).Seconds()
		fmt.Fprintf(os.Stderr, "%d nodes and %d pods, %.0f writes/s\n", f.nodes, f.pods, all["load"])
		begun = time.Now()
		if err := awaitNoneTainted(ctx, r); err != nil {
			return err
		}
		all["settled"] = time.Since(begun).Seconds()
		return nil
	})
	if err != nil {
		return err
	}
	if err := subject.Rest(ctx, settle); err != nil {
		return err
	}
	if all["cpu-idle"], err = subject.CPUDuring(r.CPUSeconds, func() error { return subject.Rest(ctx, window) }); err != nil {
		return err
	}
	if all["pss"], err = subject.PSS(r.PIDs()); err != nil {
		return err
	}
	if err := beats.stop(); err != nil {
		return err
	}
	if err := noneTainted(ctx, r.Client); err != nil {
		return fmt.Errorf("the machine was too slow to renew its lease; use fewer -nodes: %w", err)
	}
	if want.Any("readyz", "leases", "pod", "cpu-failover", "pss-failover") {
		return measureFailover(ctx, r, all)
	}
	return nil
}
