// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// ready is a server's answer to its own /readyz: yes, after a while.
type ready struct{ at time.Time }

func (r ready) RoundTrip(*http.Request) (*http.Response, error) {
	code := http.StatusOK
	if time.Now().Before(r.at) {
		code = http.StatusInternalServerError
	}
	return &http.Response{StatusCode: code, Body: http.NoBody}, nil
}

func TestAStopWaitsForAStartUnderWay(t *testing.T) {
	for name, test := range map[string]struct{ starts, want time.Duration }{
		"started already": {-time.Second, 0},
		"soon":            {3 * time.Second, 3 * time.Second},
		"never":           {time.Hour, startGracePeriod},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(nil, Etcd{})
				ctx, cancel := context.WithCancel(t.Context())
				delayed, stop := s.delayStop(ctx)
				defer stop()
				time.Sleep(time.Minute)
				if delayed.Err() != nil {
					t.Error("it stops without being told to")
				}
				s.prober.Store(&prober{client: &http.Client{Transport: ready{time.Now().Add(test.starts)}}, host: "http://x"})
				begun := time.Now()
				cancel()
				<-delayed.Done()
				if took := time.Since(begun).Round(startPoll); took != test.want {
					t.Errorf("it stops after %s, want %s", took, test.want)
				}
			})
		})
	}
}
