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
	// answerTimeout is what a health check waits at most, and decideAfter how long
	// what is no yes may become one.
	answerTimeout = 2800 * time.Millisecond
	decideAfter   = 2700 * time.Millisecond
	// askAgain is how long a question is waited for before another one is put beside
	// it: one that is lost or slow says nothing of the apiserver.
	askAgain = time.Second
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

// Prober asks a Backend, at most twice in a second, and every answer is shared.
//
// Answers do not flap. Where the last one was a yes, one question that is answered
// with a doubtful no, late or not at all makes no other: more are put, and any yes
// within decideAfter is one; what is late may be so for a grace. Where the last one was
// a no, two questions have to be answered with yes.
type Prober struct {
	backend Backend
	// grace is how long an OK stands for while the next answer is late.
	grace time.Duration
	last  map[string]*atomic.Pointer[result]
	turn  chan time.Time // holds when the apiserver was last asked
	log   klog.Logger

	mu       sync.Mutex
	inFlight map[string]chan struct{} // by path, closed when there is a verdict
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
		turn:    make(chan time.Time, 1),
		log:     klog.Background(),

		inFlight: map[string]chan struct{}{},
		logged:   map[string]Verdict{},
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
	case <-p.ask(path):
		return p.last[path].Load().verdict
	case <-timeout.C:
		if r := p.last[path].Load(); r != nil && r.verdict == OK && time.Since(r.at) < p.grace {
			return OK
		}
		return Hung
	}
}

// ask returns what is closed when there is a verdict, and sees to one if nobody
// does.
func (p *Prober) ask(path string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if decided, ok := p.inFlight[path]; ok {
		return decided
	}
	decided := make(chan struct{})
	p.inFlight[path] = decided
	go func() {
		var before Verdict
		if r := p.last[path].Load(); r != nil {
			before = r.verdict
		}
		begun := time.Now()
		verdict, err := p.decide(path, before)
		p.logChange(path, verdict, time.Since(begun), err)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last[path].Store(&result{verdict: verdict, at: time.Now()})
		delete(p.inFlight, path)
		close(decided)
	}()
	return decided
}

// reply is what the backend has said to one question.
type reply struct {
	verdict Verdict
	err     error
}

// decide asks until there is a verdict that may follow the one before; "" is none.
func (p *Prober) decide(path string, before Verdict) (Verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), max(decideAfter, p.grace+graceAnswer))
	defer cancel()
	replies := make(chan reply)
	question := func() {
		if r, ok := p.probe(ctx, path); ok {
			select {
			case replies <- r:
			case <-ctx.Done(): // too late
			}
		}
	}
	last, answered := reply{verdict: Hung, err: context.DeadlineExceeded}, false
	yes, enough := 0, 1
	if before != OK && before != "" {
		enough = 2
	}
	// A grace is for what is late, not for what says no.
	decide := time.NewTimer(decideAfter)
	defer decide.Stop()
	pause := max(askAgain, p.grace/4)
	again := time.NewTimer(pause)
	defer again.Stop()
	go question()
	for {
		select {
		case <-ctx.Done():
			return last.verdict, last.err
		case <-decide.C:
			if answered {
				return last.verdict, last.err
			}
			continue
		case <-again.C:
		case last = <-replies:
			answered = true
			switch {
			case last.verdict == OK:
				yes++
			case before != OK || !last.verdict.isDoubtful():
				return last.verdict, last.err
			}
			if yes >= enough {
				return OK, nil
			}
		}
		again.Reset(pause)
		go question()
	}
}

// isDoubtful reports whether the apiserver may be well though one question was
// answered so.
func (v Verdict) isDoubtful() bool {
	switch v {
	case Hung, Slow, Etcd, Unhealthy:
		return true
	}
	return false
}

// probe asks the backend once, when pace allows it; not any more if ctx has ended by
// then. The question itself outlives ctx: one that is cut short costs a connection.
func (p *Prober) probe(ctx context.Context, path string) (reply, bool) {
	before := <-p.turn
	if wait := time.Until(before.Add(pace)); wait > 0 {
		time.Sleep(wait)
	}
	if ctx.Err() != nil {
		p.turn <- before
		return reply{}, false
	}
	begun := time.Now()
	p.turn <- begun
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(probeTimeout, p.grace+graceAnswer))
	defer cancel()
	verdict, err := p.backend.Ask(ctx, path)
	if verdict == OK && time.Since(begun) > max(slowAfter, p.grace) {
		verdict = Slow
	}
	probes.WithLabelValues(path, string(verdict)).Inc()
	return reply{verdict, err}, true
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
		p.log.Info("Health checks pass", "path", path)
		return
	}
	p.log.Error(err, "Health checks fail", "path", path, "reason", v, "took", took.Round(time.Millisecond))
}
