// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/healthz"
)

// departure is how a stop lets load balancers notice: the apiserver serves on, while
// health checks say no, until those have noticed that check.
type departure struct {
	checkers   *healthz.Checkers
	configured *time.Duration // --shutdown-delay
	// over is told when the delay is.
	over func()

	mu     sync.Mutex
	within time.Duration
	notice *healthz.Notice // nil where a delay is configured
	begun  bool
}

// begin decides how long the stop waits, says so in the log, and returns it with
// what is waited for. It is called when health checks say no already.
func (d *departure) begin() (waitsFor string, delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = true
	why := "--shutdown-delay"
	if d.configured != nil {
		d.within = *d.configured
		waitsFor = fmt.Sprintf("waiting %s, the --shutdown-delay", brief(d.within))
	} else {
		d.notice = d.checkers.BeginStop()
		d.within = d.notice.Within
		why = reason(d.notice)
		waitsFor = fmt.Sprintf("waiting %s for %s to notice", brief(d.within), checkers(d.notice))
	}
	if d.within == 0 {
		klog.InfoS("Stopping at once", "why", why)
		return "", 0
	}
	klog.InfoS("Stopping; health checks say no, and everything is still served", "for", brief(d.within), "why", why)
	return waitsFor, d.within
}

// foreseen returns for how many checkers a stop would wait that began now, and how
// long.
func (d *departure) foreseen() (checkers int, delay time.Duration) {
	if d.configured != nil {
		return 0, *d.configured
	}
	n := d.checkers.Notice()
	return n.Checkers, n.Within
}

// reason tells why a stop waits as long as it does.
func reason(n *healthz.Notice) string {
	if n.Checkers == 0 {
		return "nobody who has checked health at an interval lately counts on this controller"
	}
	why := fmt.Sprintf("%s to notice, who ask every %s or more often", checkers(n), brief(n.Every))
	if n.Cut {
		why += "; who needs longer is not waited for, set --shutdown-delay for that"
	}
	return why
}

func checkers(n *healthz.Notice) string {
	if n.Checkers == 1 {
		return "1 health checker"
	}
	return fmt.Sprintf("%d health checkers", n.Checkers)
}

// brief is a duration for people: in seconds, or less where it is less.
func brief(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(100 * time.Millisecond)
	} else {
		d = d.Round(time.Millisecond)
	}
	return d.String()
}

// wait returns when all have noticed, or the delay is over. A stop that nobody has
// asked for has none.
func (d *departure) wait(ctx context.Context) {
	d.mu.Lock()
	begun, within, notice := d.begun, d.within, d.notice
	d.mu.Unlock()
	if !begun || within == 0 {
		return
	}
	defer d.over()
	delay := time.NewTimer(within)
	defer delay.Stop()
	var all <-chan struct{}
	if notice != nil {
		all = notice.All()
	}
	select {
	case <-ctx.Done():
	case <-delay.C:
	case <-all:
		select {
		case <-ctx.Done():
		case <-delay.C:
		case <-time.After(healthz.Settle):
		}
	}
}

// departing is the apiserver that takes leave of its clients before it is told to end.
type departing struct {
	*apiserver.Server
	departure *departure
}

// Drain implements supervisor.Drainer.
func (a *departing) Drain(ctx context.Context) {
	a.TakeLeave(ctx)
	a.departure.wait(ctx)
}
