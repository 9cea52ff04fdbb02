// SPDX-License-Identifier: Apache-2.0

package election

import "time"

// lateWindow is for how long a late renewal is told of.
const lateWindow = time.Hour

// Late is how late a replica has renewed its lease in the last hour: so late that half
// of the time was over in which it would have been lost. To lose it is the latest.
type Late struct {
	Times int
	// Worst is the longest time between two renewals, and Lost after what time the
	// lease is lost.
	Worst, Lost time.Duration
}

// renewals keeps the times of an own lease's renewals.
type renewals struct {
	lease string        // as the metrics call it
	after time.Duration // from when on one is late
	lost  time.Duration

	last time.Time // when the last one was asked for; zero without a lease
	late []lateRenewal
}

type lateRenewal struct {
	at  time.Time
	gap time.Duration
}

// expect tells which lease it is, when it is renewed and when it is lost.
func (h *LeaseHealth) expect(lease string, every, lost time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.lease, h.own.after, h.own.lost = lease, every+(lost-every)/2, lost
	lateRenewals.WithLabelValues(lease).Add(0) // a series from the first moment on
}

// renewed takes that the lease was won or renewed, as was asked for then.
func (h *LeaseHealth) renewed(asked time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.judge(time.Now())
	h.own.last = asked
}

// ended takes that the lease is not held any more.
func (h *LeaseHealth) ended() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.last = time.Time{}
}

// expired takes that it was lost.
func (h *LeaseHealth) expired() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.judge(time.Now())
	h.own.last = time.Time{}
}

// judge notes how long the last renewal is ago where that is long.
func (r *renewals) judge(now time.Time) {
	gap := now.Sub(r.last)
	if r.last.IsZero() || r.after == 0 || gap < r.after {
		return
	}
	lateRenewals.WithLabelValues(r.lease).Inc()
	r.forget(now)
	r.late = append(r.late, lateRenewal{now, gap})
}

// forget drops what is older than an hour.
func (r *renewals) forget(now time.Time) {
	for len(r.late) > 0 && now.Sub(r.late[0].at) > lateWindow {
		r.late = r.late[1:]
	}
}

// Late returns how late renewals have been.
func (h *LeaseHealth) Late() Late {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.forget(time.Now())
	l := Late{Times: len(h.own.late), Lost: h.own.lost}
	for _, r := range h.own.late {
		l.Worst = max(l.Worst, r.gap)
	}
	return l
}
