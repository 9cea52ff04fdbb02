// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of what counts as a checker, and of what a stop does for it.
const (
	// LongestNotice is what a stop waits at most; the unit's TimeoutStopSec has room
	// for it.
	LongestNotice = time.Minute
	// longestInterval is that of who counts as a checker. Who asks more seldom would
	// need longer than any stop lasts.
	longestInterval = time.Minute
	// Settle is what a load balancer may take to act on its last check.
	Settle = time.Second
	// late is what its checks may be late.
	late = time.Second
	// visitsKept is how many times of each source are known.
	visitsKept = 12
	// mostRounds is how many checkers may come from one source, each at its time: two
	// load balancers behind one address.
	mostRounds = 3
	// mostSources is of how many sources that is known.
	mostSources = 256
)

// SelfCheck is the User-Agent of this program's own questions, which nobody acts on.
const SelfCheck = "khw-controller"

// observers begin the User-Agents of those who ask regularly and send nobody
// anywhere.
var observers = []string{SelfCheck, "Prometheus/", "Blackbox Exporter/", "Blackbox-Exporter/", "kube-probe/"}

// Checkers learns who checks health at an interval, as load balancers do, and which
// of them believe in this controller. A source is a checker when it came three times
// or more, at an interval, until lately.
type Checkers struct {
	threshold int
	now       func() time.Time

	mu      sync.Mutex
	sources map[source]*visits
	leaving *Notice // once a stop has begun
}

// source is who asks: where it comes from, what it calls itself, and what it asks
// for.
type source struct {
	address     netip.Addr
	agent, path string
}

// visits are the last times that a source came, in their order.
type visits struct {
	times []time.Time
	// refused counts the answers of no in a row until now.
	refused int
}

// NewCheckers returns Checkers who have to hear no threshold times in a row before
// they believe it.
func NewCheckers(threshold int) *Checkers {
	return &Checkers{threshold: threshold, now: time.Now, sources: map[source]*visits{}}
}

// maxAgent bounds what is kept of a User-Agent.
const maxAgent = 64

// Saw notes a health check that came at a time, and how it was answered.
func (c *Checkers) Saw(r *http.Request, path string, at time.Time, ok bool) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	agent := r.UserAgent()
	if err != nil || slices.ContainsFunc(observers, func(o string) bool { return strings.HasPrefix(agent, o) }) {
		return
	}
	who := source{address: from.Addr().Unmap(), agent: agent[:min(len(agent), maxAgent)], path: path}
	c.mu.Lock()
	defer c.mu.Unlock()
	v, known := c.sources[who]
	if !known {
		c.makeRoom()
		v = &visits{}
		c.sources[who] = v
	}
	if len(v.times) == visitsKept {
		v.times = append(v.times[:0], v.times[1:]...)
	}
	v.times = append(v.times, at)
	v.refused++
	if ok {
		v.refused = 0
	}
	c.leaving.heard(who, ok)
}

// makeRoom forgets a source when there are too many: one that is no checker before
// one that is, and of those the one that was not seen for longest.
func (c *Checkers) makeRoom() {
	if len(c.sources) < mostSources {
		return
	}
	now := c.now()
	var oldest source
	var seen time.Time
	var checker bool
	for who, v := range c.sources {
		_, _, is := v.interval(now)
		last := v.times[len(v.times)-1]
		if seen.IsZero() || checker && !is || checker == is && last.Before(seen) {
			oldest, seen, checker = who, last, is
		}
	}
	delete(c.sources, oldest)
}

// interval returns at which interval a source comes, and how many rounds it makes in
// one; false for one that is no checker now.
func (v *visits) interval(now time.Time) (every time.Duration, rounds int, ok bool) {
	for rounds = 1; rounds <= mostRounds; rounds++ {
		if every, ok = regular(v.times, rounds); ok {
			break
		}
	}
	last := v.times[len(v.times)-1]
	// One check may have been lost.
	return every, rounds, ok && every > 0 && every <= longestInterval && now.Sub(last) <= 2*every+late
}

// regular returns the interval of times of which each comes an interval after the
// one that is that many rounds before it. Three in four have to, if there are that
// many.
func regular(times []time.Time, rounds int) (time.Duration, bool) {
	var gaps []time.Duration
	for i := rounds; i < len(times); i++ {
		gaps = append(gaps, times[i].Sub(times[i-rounds]))
	}
	if len(gaps) < 2*rounds {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(gaps))
	median := sorted[len(sorted)/2]
	tolerance := median/4 + 100*time.Millisecond
	var longest time.Duration
	near := 0
	for _, gap := range gaps {
		if (gap - median).Abs() <= tolerance {
			near++
			longest = max(longest, gap)
		}
	}
	return longest, 4*near >= 3*len(gaps)
}

// Notice is what the checkers need to notice a stop.
type Notice struct {
	// Checkers is how many have not noticed yet.
	Checkers int
	// Every is the longest of their intervals, and Within how long it takes until the
	// last has noticed, at most; LongestNotice bounds it.
	Every, Within time.Duration
	// Cut tells that a checker needs longer.
	Cut bool

	mu   sync.Mutex
	left map[source]int // how often each has to hear no
	all  chan struct{}  // closed when nobody is left
}

// Notice returns what the checkers would need to notice a stop that began now.
func (c *Checkers) Notice() *Notice {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notice()
}

// BeginStop returns what the checkers need to notice the stop, from now on the
// answer is no.
func (c *Checkers) BeginStop() *Notice {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = c.notice()
	return c.leaving
}

func (c *Checkers) notice() *Notice {
	n := &Notice{left: map[source]int{}, all: make(chan struct{})}
	now := c.now()
	for who, v := range c.sources {
		every, rounds, ok := v.interval(now)
		left := c.threshold*rounds - v.refused
		if !ok || left <= 0 {
			continue
		}
		n.left[who] = left
		n.Checkers += rounds
		n.Every = max(n.Every, every)
		n.Within = max(n.Within, time.Duration(c.threshold)*every+late+Settle)
	}
	if n.Within > LongestNotice {
		n.Within, n.Cut = LongestNotice, true
	}
	if len(n.left) == 0 {
		close(n.all)
	}
	return n
}

// heard notes an answer to a checker. A nil Notice notes nothing.
func (n *Notice) heard(who source, ok bool) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	left, waited := n.left[who]
	if !waited || ok {
		return
	}
	if n.left[who] = left - 1; left == 1 {
		delete(n.left, who)
	}
	if len(n.left) == 0 {
		close(n.all)
	}
}

// All is closed when all have heard often enough that the answer is no. They may
// take Settle to act on it.
func (n *Notice) All() <-chan struct{} { return n.all }
