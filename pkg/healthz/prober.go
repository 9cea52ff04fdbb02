// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"
)

// Verdict is the answer to a health check, in one word.
type Verdict string

// The verdicts.
const (
	OK          Verdict = "ok"
	Hung        Verdict = "hung"        // no answer in time
	Slow        Verdict = "slow"        // an answer, but after slowAfter
	Etcd        Verdict = "etcd"        // its check of etcd fails
	Unhealthy   Verdict = "unhealthy"   // another of its checks fails
	Certificate Verdict = "certificate" // its certificate is not to be trusted
	Unreachable Verdict = "unreachable" // nobody listens there
	Starting    Verdict = "starting"    // the controller is not ready yet
	Stopping    Verdict = "stopping"    // the controller is being stopped
)

// Times of asking.
const (
	slowAfter = 2 * time.Second
	// probeTimeout is what an answer may take; the apiserver gives its own check
	// of etcd 2 s.
	probeTimeout = 2500 * time.Millisecond
	// answerTimeout is what a health check waits at most.
	answerTimeout = 2800 * time.Millisecond
	// shareFor is how long an answer is good for.
	shareFor = time.Second
	// pace keeps the apiserver at two questions a second.
	pace = 500 * time.Millisecond
)

// Backend asks the apiserver once, and says what it found besides.
type Backend interface {
	Ask(ctx context.Context, path string) (Verdict, error)
}

// Prober asks a Backend: one question at a time, at most two in a second, and
// every answer is shared.
type Prober struct {
	backend Backend
	last    map[string]*atomic.Pointer[result]
	turn    chan time.Time // holds when the last question was put

	mu      sync.Mutex
	flights map[string]chan struct{} // closed when the question is answered
	told    map[string]Verdict       // as last logged
}

type result struct {
	verdict Verdict
	at      time.Time
}

// NewProber returns a Prober of backend.
func NewProber(backend Backend) *Prober {
	p := &Prober{
		backend: backend,
		last:    map[string]*atomic.Pointer[result]{},
		turn:    make(chan time.Time, 1),
		flights: map[string]chan struct{}{},
		told:    map[string]Verdict{},
	}
	for _, path := range paths {
		p.last[path] = &atomic.Pointer[result]{}
	}
	p.turn <- time.Time{}
	return p
}

// Ask returns what the apiserver says of path, as of at most a second ago. It
// takes less than 3 s.
func (p *Prober) Ask(path string) Verdict {
	if r := p.last[path].Load(); r != nil && time.Since(r.at) < shareFor {
		return r.verdict
	}
	timeout := time.NewTimer(answerTimeout)
	defer timeout.Stop()
	select {
	case <-p.flight(path):
		return p.last[path].Load().verdict
	case <-timeout.C:
		return Hung
	}
}

// flight returns what is closed when the question under way is answered, and
// puts it if there is none.
func (p *Prober) flight(path string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if landed, ok := p.flights[path]; ok {
		return landed
	}
	landed := make(chan struct{})
	p.flights[path] = landed
	go func() {
		r := p.put(path)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last[path].Store(r)
		delete(p.flights, path)
		close(landed)
	}()
	return landed
}

// put puts the question when it is its turn.
func (p *Prober) put(path string) *result {
	before := <-p.turn
	if wait := time.Until(before.Add(pace)); wait > 0 {
		time.Sleep(wait)
	}
	begun := time.Now()
	defer func() { p.turn <- begun }()
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	verdict, err := p.backend.Ask(ctx, path)
	took := time.Since(begun)
	if verdict == OK && took > slowAfter {
		verdict = Slow
	}
	probes.WithLabelValues(path, string(verdict)).Inc()
	p.tell(path, verdict, took, err)
	return &result{verdict: verdict, at: time.Now()}
}

// tell logs a change, and only a change.
func (p *Prober) tell(path string, v Verdict, took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told[path] == v {
		return
	}
	p.told[path] = v
	if v == OK {
		klog.InfoS("Health checks pass", "path", path)
		return
	}
	klog.ErrorS(err, "Health checks fail", "path", path, "reason", v, "took", took.Round(time.Millisecond))
}
