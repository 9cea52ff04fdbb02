// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/klog/v2"
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
			defer klog.CaptureState().Restore()
			var log bytes.Buffer
			klog.SetLogger(textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&log))))
			synctest.Test(t, func(t *testing.T) {
				leads, outages, ended := true, 0, 0
				ctx, cancel := context.WithCancel(t.Context())
				go leaderWatch{
					hasLeader: func() bool { return leads },
					why:       func() string { return "b does not answer" },
					onOutage:  func() func() { outages++; return func() { ended++ } },
				}.run(ctx)
				pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
				pass(10*time.Second + leaderEvery/2)
				if outages != 0 {
					t.Error("with a leader there is an outage")
				}
				leads = false
				pass(test.without)
				if outages != 1 || ended != 0 {
					t.Errorf("without a leader %d outages have begun, and %d ended", outages, ended)
				}
				leads = true
				pass(2 * leaderEvery)
				if outages != 1 || ended != 1 {
					t.Errorf("with a leader again %d outages have begun, and %d ended", outages, ended)
				}
				leads = false
				pass(2 * leaderEvery)
				cancel()
				synctest.Wait()
				if outages != 2 || ended != 2 {
					t.Errorf("after the end %d outages have begun, and %d ended", outages, ended)
				}
			})
			klog.Flush()
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
