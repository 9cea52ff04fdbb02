// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/khw-controller/khw-controller/pkg/healthz"
)

// noDeparture is one for which nobody has to be waited for.
func noDeparture() *departure {
	return &departure{checkers: healthz.NewCheckers(2), over: func() {}}
}

// check is a health check of a load balancer.
func check(c *healthz.Checkers, ok bool) {
	r := httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody)
	r.RemoteAddr = "10.240.0.1:1234"
	c.Saw(r, "/healthz", time.Now(), ok)
}

func TestHowLongAStopWaits(t *testing.T) {
	second := time.Second
	for name, test := range map[string]struct {
		configured *time.Duration
		checked    bool // every 5 s before the stop
		hears      bool // and in it
		asked      bool // whether the stop was asked for
		waitsFor   string
		want       time.Duration
	}{
		"nobody checks":                {asked: true},
		"a checker":                    {checked: true, hears: true, asked: true, waitsFor: "waiting 12s for 1 health checker to notice", want: 10 * time.Second},
		"a checker that goes silent":   {checked: true, asked: true, waitsFor: "waiting 12s for 1 health checker to notice", want: 12 * time.Second},
		"a component failed":           {checked: true, hears: true},
		"--shutdown-delay":             {configured: &second, asked: true, waitsFor: "waiting 1s, the --shutdown-delay", want: time.Second},
		"--shutdown-delay beats those": {configured: &second, checked: true, hears: true, asked: true, waitsFor: "waiting 1s, the --shutdown-delay", want: time.Second},
		"--shutdown-delay 0":           {configured: new(time.Duration), checked: true, asked: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := 0
				d := &departure{checkers: healthz.NewCheckers(2), configured: test.configured, over: func() { over++ }}
				if test.checked {
					for range 4 {
						check(d.checkers, true)
						time.Sleep(5 * time.Second)
					}
				}
				if test.asked {
					if waitsFor, _ := d.begin(); waitsFor != test.waitsFor {
						t.Errorf("it says %q, want %q", waitsFor, test.waitsFor)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.hears {
					go func() {
						for ctx.Err() == nil {
							time.Sleep(4 * time.Second)
							check(d.checkers, false)
							time.Sleep(time.Second)
						}
					}()
				}
				begun := time.Now()
				d.wait(ctx)
				if took := time.Since(begun); took != test.want {
					t.Errorf("it waits %s, want %s", took, test.want)
				}
				if want := test.want > 0; (over == 1) != want {
					t.Errorf("the end was told %d times", over)
				}
				cancel()
				time.Sleep(6 * time.Second) // by which the checker has ended too
			})
		})
	}
}

func TestAComponentThatEndsIsNotWaitedFor(t *testing.T) {
	hour := time.Hour
	d := &departure{checkers: healthz.NewCheckers(2), configured: &hour, over: func() {}}
	d.begin()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.wait(ctx)
}
