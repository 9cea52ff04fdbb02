// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func statusesOf(etcd, apiServer supervisor.State) []supervisor.Status {
	return []supervisor.Status{
		{Component: etcdName, State: etcd},
		{Component: string(lab.APIServer), State: apiServer, Unhealthy: "/readyz fails: etcd"},
		{Component: string(lab.Scheduler), State: supervisor.Restarting},
	}
}

func TestWatchdogJudgesTheProcess(t *testing.T) {
	answers := func(context.Context) error { return nil }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	refuses := func(context.Context) error { return errors.New("connection refused") }
	tests := map[string]struct {
		etcd, apiServer supervisor.State
		ping            func(context.Context) error
		alive           bool
	}{
		"all is well":                       {supervisor.Running, supervisor.Running, answers, true},
		"etcd is dead, the apiserver is up": {supervisor.Failed, supervisor.Running, answers, true},
		"the apiserver hangs":               {supervisor.Running, supervisor.Running, hangs, false},
		"the apiserver refuses":             {supervisor.Running, supervisor.Running, refuses, false},
		"it waits for etcd":                 {supervisor.Starting, supervisor.Waiting, refuses, true},
		"it starts":                         {supervisor.Running, supervisor.Starting, refuses, true},
		"it stops":                          {supervisor.Running, supervisor.Stopping, hangs, true},
		"it has stopped":                    {supervisor.Stopping, supervisor.Stopped, refuses, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := &watchdog{
				statuses: func() []supervisor.Status { return statusesOf(test.etcd, test.apiServer) },
				ping:     test.ping,
			}
			if err := w.alive(context.Background(), 10*time.Millisecond); (err == nil) != test.alive {
				t.Errorf("alive: %v", err)
			}
		})
	}
}

func TestWatchdogIsToldInTime(t *testing.T) {
	told := make(chan time.Time)
	hanging := make(chan struct{})
	w := &watchdog{
		interval: 200 * time.Millisecond,
		tell:     func() { told <- time.Now() },
		statuses: func() []supervisor.Status { return statusesOf(supervisor.Running, supervisor.Running) },
		ping: func(ctx context.Context) error {
			select {
			case <-hanging:
				<-ctx.Done()
				return ctx.Err()
			default:
				return nil
			}
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	<-told // at once, not after an interval
	<-told
	<-told
	close(hanging)
	silent := time.After(2 * w.interval)
	for quiet := false; !quiet; {
		select {
		case <-told: // one may have been under way
		case <-silent:
			quiet = true
		}
	}
	select {
	case <-told:
		t.Error("the watchdog was told that all is well while the apiserver hung")
	case <-time.After(w.interval):
	}
	cancel()
	<-done
}

func TestWatchdogIsSilentWhenTheSupervisorIsStuck(t *testing.T) {
	stuck := make(chan struct{})
	asked := make(chan struct{}, 1)
	w := &watchdog{
		interval: time.Millisecond,
		tell:     func() { t.Error("the watchdog was told that all is well") },
		statuses: func() []supervisor.Status {
			select {
			case asked <- struct{}{}:
			default:
			}
			<-stuck
			return nil
		},
		ping: func(ctx context.Context) error { return ctx.Err() },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	<-asked
	cancel()
	close(stuck)
	<-done
}

func TestNobodyWatches(t *testing.T) {
	(&watchdog{tell: func() { t.Error("told") }}).run(context.Background())
}
