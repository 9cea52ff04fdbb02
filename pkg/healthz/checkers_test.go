// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// checks are the health checks that Checkers see, at times of the test's.
type checks struct {
	*Checkers
	begun, now time.Time
}

func newChecks(threshold int) *checks {
	begun := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	c := &checks{NewCheckers(threshold), begun, begun}
	c.Checkers.now = func() time.Time { return c.now }
	return c
}

// from returns a question of a source.
func from(address, agent string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody)
	r.RemoteAddr = address + ":1234"
	r.Header.Set("User-Agent", agent)
	return r
}

// at has a source ask at the given seconds from the beginning, and be told ok.
func (c *checks) at(address string, seconds ...float64) *checks {
	for _, s := range seconds {
		c.Saw(from(address, "check"), "/healthz", c.begun.Add(time.Duration(s*float64(time.Second))), true)
	}
	return c
}

// every has a source ask at an interval, for a time.
func (c *checks) every(address string, interval, during float64) *checks {
	for s := 0.0; s <= during; s += interval {
		c.at(address, s)
	}
	return c
}

func (c *checks) nowAt(seconds float64) *checks {
	c.now = c.begun.Add(time.Duration(seconds * float64(time.Second)))
	return c
}

func TestWhoCountsAsAChecker(t *testing.T) {
	for name, test := range map[string]struct {
		checks   *checks
		checkers int
		within   time.Duration
	}{
		"nobody":                   {newChecks(2), 0, 0},
		"two questions":            {newChecks(2).at("10.0.0.1", 0, 5).nowAt(6), 0, 0},
		"the lab's on GCP":         {newChecks(2).every("35.191.0.1", 5, 10).nowAt(11), 1, 12 * time.Second},
		"three in a row to hear":   {newChecks(3).every("10.0.0.1", 5, 60).nowAt(61), 1, 17 * time.Second},
		"several, each at its own": {newChecks(2).every("35.191.0.1", 5, 60).every("35.191.0.2", 10, 60).every("35.191.0.3", 2, 60).nowAt(60), 3, 22 * time.Second},
		"with jitter":              {newChecks(2).at("10.0.0.1", 0, 5.3, 9.8, 15.1, 20).nowAt(21), 1, 12600 * time.Millisecond},
		"a check was lost":         {newChecks(2).at("10.0.0.1", 0, 5, 10, 20, 25, 30).nowAt(31), 1, 12 * time.Second},
		"the last one was lost":    {newChecks(2).every("10.0.0.1", 5, 60).nowAt(70), 1, 12 * time.Second},
		"it has gone":              {newChecks(2).every("10.0.0.1", 5, 60).nowAt(72), 0, 0},
		"by hand":                  {newChecks(2).at("10.0.0.1", 0, 1, 7, 30, 31).nowAt(32), 0, 0},
		"two behind one address":   {newChecks(2).at("10.0.0.1", 0, 1, 5, 6, 10, 11, 15, 16).nowAt(17), 2, 12 * time.Second},
		"once a minute":            {newChecks(1).every("10.0.0.1", 60, 300).nowAt(310), 1, time.Minute},
		"once an hour":             {newChecks(2).every("10.0.0.1", 3600, 20000).nowAt(20000), 0, 0},
		"as fast as it can":        {newChecks(2).every("10.0.0.1", 0.001, 1).nowAt(1), 1, 2002 * time.Millisecond},
		"IPv6":                     {newChecks(2).every("[2001:db8::1]", 5, 60).nowAt(61), 1, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			n := test.checks.Notice()
			if n.Checkers != test.checkers || n.Within.Round(time.Millisecond) != test.within {
				t.Errorf("%d checkers within %s, want %d within %s", n.Checkers, n.Within, test.checkers, test.within)
			}
		})
	}
}

func TestWhoOnlyLooksIsNoChecker(t *testing.T) {
	for _, agent := range []string{SelfCheck, "Prometheus/3.5.0", "Blackbox Exporter/0.27.0", "kube-probe/1.37"} {
		c := newChecks(2)
		for s := range 10 {
			c.Saw(from("10.0.0.1", agent), "/healthz", c.begun.Add(time.Duration(s)*time.Second), true)
		}
		if n := c.nowAt(10).Notice(); n.Checkers != 0 {
			t.Errorf("%s is a checker", agent)
		}
	}
}

func TestAStopWaitsForALongIntervalNoLongerThanItMay(t *testing.T) {
	n := newChecks(2).every("10.0.0.1", 45, 300).nowAt(300).Notice()
	if n.Within != LongestNotice || !n.Cut || n.Every != 45*time.Second {
		t.Errorf("within %s of %s, cut %t", n.Within, n.Every, n.Cut)
	}
}

// TestWhoKnowsAlreadyIsNotWaitedFor has a checker hear no before the stop.
func TestWhoKnowsAlreadyIsNotWaitedFor(t *testing.T) {
	c := newChecks(2).every("10.0.0.1", 5, 30).every("10.0.0.2", 5, 30).nowAt(41)
	for _, s := range []int{35, 40} {
		c.Saw(from("10.0.0.1", "check"), "/healthz", c.begun.Add(time.Duration(s)*time.Second), false)
	}
	c.at("10.0.0.2", 35, 40)
	if n := c.Notice(); n.Checkers != 1 {
		t.Errorf("%d have to notice", n.Checkers)
	}
	c.at("10.0.0.1", 41) // it is told ok again, and counts on that
	if n := c.Notice(); n.Checkers != 2 {
		t.Errorf("%d have to notice after an ok", n.Checkers)
	}
}

func TestAllHaveNoticedWhenEachHasHeardOftenEnough(t *testing.T) {
	c := newChecks(2).every("10.0.0.1", 5, 30).every("10.0.0.2", 5, 30).nowAt(31)
	n := c.BeginStop()
	told := func(address string, ok, all bool) {
		t.Helper()
		c.Saw(from(address, "check"), "/healthz", c.now, ok)
		select {
		case <-n.All():
			if !all {
				t.Fatal("all have noticed too early")
			}
		default:
			if all {
				t.Fatal("not all have noticed")
			}
		}
	}
	told("10.0.0.1", false, false)
	told("10.0.0.1", false, false)
	told("10.0.0.1", false, false)
	told("10.0.0.3", false, false) // who is not waited for
	told("10.0.0.2", true, false)  // an answer that was under way
	told("10.0.0.2", false, false)
	told("10.0.0.2", false, true)
	told("10.0.0.2", false, true)
}

func TestNobodyIsLeftWhereNobodyChecks(t *testing.T) {
	select {
	case <-newChecks(2).BeginStop().All():
	default:
		t.Error("a stop waits for nobody")
	}
}

// TestManySourcesDoNotDisplaceACheckers has more sources come than are known.
func TestManySourcesDoNotDisplaceACheckers(t *testing.T) {
	c := newChecks(2).every("10.0.0.1", 5, 30).nowAt(31)
	for i := range 10 * mostSources {
		c.at(fmt.Sprintf("10.1.%d.%d", i/256, i%256), 30)
	}
	if n := c.Notice(); n.Checkers != 1 {
		t.Errorf("%d checkers are known", n.Checkers)
	}
	if len(c.sources) > mostSources {
		t.Errorf("%d sources are known", len(c.sources))
	}
}

func FuzzCheckers(f *testing.F) {
	f.Add("10.0.0.1:80", "GoogleHC/1.0", int64(time.Second))
	f.Add("[::ffff:10.0.0.1]:80", "", int64(-5))
	f.Add("@", "ELB-HealthChecker/2.0", int64(1)<<62)
	f.Fuzz(func(t *testing.T, address, agent string, gap int64) {
		c := newChecks(2)
		r := from("10.0.0.1", agent)
		r.RemoteAddr = address
		for range visitsKept + 1 {
			c.now = c.now.Add(time.Duration(gap))
			c.Saw(r, "/healthz", c.now, true)
		}
		if n := c.Notice(); n.Within < 0 || n.Within > LongestNotice {
			t.Errorf("a stop waits %s", n.Within)
		}
	})
}
