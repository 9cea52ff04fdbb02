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
	Refused     Verdict = "refused"     // it does not know who asks: it is not this controller's
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
	// graceAnswer is what an answer may take after a grace.
	graceAnswer = 500 * time.Millisecond
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
	// grace is how long an OK stands for while the next answer is late.
	grace  time.Duration
	last   map[string]*atomic.Pointer[result]
	asking chan time.Time // holds when the apiserver was last asked; empty while it is

	mu       sync.Mutex
	inFlight map[string]chan struct{} // by path, closed when the question is answered
	logged   map[string]Verdict       // by path, as last logged
}

type result struct {
	verdict Verdict
	at      time.Time
}

// NewProber returns a Prober of backend. An OK stands for as long as grace while the
// next answer is late, and an answer may take as long.
func NewProber(backend Backend, grace time.Duration) *Prober {
	p := &Prober{
		backend: backend,
		grace:   grace,
		last:    map[string]*atomic.Pointer[result]{},
		asking:  make(chan time.Time, 1),

		inFlight: map[string]chan struct{}{},
		logged:   map[string]Verdict{},
	}
	for _, path := range paths {
		p.last[path] = &atomic.Pointer[result]{}
	}
	p.asking <- time.Time{}
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
	case <-p.ask(path):
		return p.last[path].Load().verdict
	case <-timeout.C:
		if r := p.last[path].Load(); r != nil && r.verdict == OK && time.Since(r.at) < p.grace {
			return OK
		}
		return Hung
	}
}

// ask returns what is closed when the question in flight is answered, and asks it
// if there is none.
func (p *Prober) ask(path string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if answered, ok := p.inFlight[path]; ok {
		return answered
	}
	answered := make(chan struct{})
	p.inFlight[path] = answered
	go func() {
		r := p.probe(path)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last[path].Store(r)
		delete(p.inFlight, path)
		close(answered)
	}()
	return answered
}

// probe asks the backend, once no other question is in flight and pace allows it.
func (p *Prober) probe(path string) *result {
	before := <-p.asking
	if wait := time.Until(before.Add(pace)); wait > 0 {
		time.Sleep(wait)
	}
	begun := time.Now()
	defer func() { p.asking <- begun }()
	ctx, cancel := context.WithTimeout(context.Background(), max(probeTimeout, p.grace+graceAnswer))
	defer cancel()
	verdict, err := p.backend.Ask(ctx, path)
	took := time.Since(begun)
	if verdict == OK && took > max(slowAfter, p.grace) {
		verdict = Slow
	}
	probes.WithLabelValues(path, string(verdict)).Inc()
	p.logChange(path, verdict, took, err)
	return &result{verdict: verdict, at: time.Now()}
}

// logChange logs a verdict that differs from the one before.
func (p *Prober) logChange(path string, v Verdict, took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.logged[path] == v {
		return
	}
	p.logged[path] = v
	if v == OK {
		klog.InfoS("Health checks pass", "path", path)
		return
	}
	klog.ErrorS(err, "Health checks fail", "path", path, "reason", v, "took", took.Round(time.Millisecond))
}
