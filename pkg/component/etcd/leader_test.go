// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/klog/v2/textlogger"
)

func TestTheTimeWithoutALeaderHasABeginningAndAnEnd(t *testing.T) {
	for name, test := range map[string]struct {
		without time.Duration
		says    []string
	}{
		"an election": {2 * time.Second, nil},
		"an outage":   {time.Minute, []string{`"etcd has no leader, and nothing can be written" why="b does not answer"`, `"etcd has a leader again" after="1m0s"`}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				var leads atomic.Bool
				var outages, ended atomic.Int32
				leads.Store(true)
				ctx, cancel := context.WithCancel(t.Context())
				go leaderWatch{
					hasLeader: leads.Load,
					why:       func() string { return "b does not answer" },
					onOutage:  func() func() { outages.Add(1); return func() { ended.Add(1) } },
					log:       textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&log))),
				}.run(ctx)
				pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
				pass(10*time.Second + leaderEvery/2)
				if outages.Load() != 0 {
					t.Error("with a leader there is an outage")
				}
				leads.Store(false)
				pass(test.without)
				if outages.Load() != 1 || ended.Load() != 0 {
					t.Errorf("without a leader %d outages have begun, and %d ended", outages.Load(), ended.Load())
				}
				leads.Store(true)
				pass(2 * leaderEvery)
				if outages.Load() != 1 || ended.Load() != 1 {
					t.Errorf("with a leader again %d outages have begun, and %d ended", outages.Load(), ended.Load())
				}
				leads.Store(false)
				pass(2 * leaderEvery)
				cancel()
				synctest.Wait()
				if outages.Load() != 2 || ended.Load() != 2 {
					t.Errorf("after the end %d outages have begun, and %d ended", outages.Load(), ended.Load())
				}
			})
			got := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
			if log.Len() == 0 {
				got = nil
			}
			if len(got) != len(test.says) {
				t.Fatalf("it logs %q, want %q", got, test.says)
			}
			for i, want := range test.says {
				if !strings.Contains(got[i], want) {
					t.Errorf("it logs %q, want %q", got[i], want)
				}
			}
		})
	}
}
