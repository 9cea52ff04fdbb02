// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/khw-controller/khw-controller/pkg/healthz"
)

// Times of asking the health port.
const (
	// portTimeout is what it may take to answer; it promises 3 s.
	portTimeout = 3 * time.Second
	// portEvery is how often it is asked, and portAgain how soon after a no.
	portEvery = 3 * time.Second
	portAgain = time.Second
	// portMoment is how long a no is nothing yet.
	portMoment = 2 * time.Second
)

// What is told of a health port that says nothing.
const (
	noAnswer   healthz.Verdict = "nothing"
	notYetSaid healthz.Verdict = "nothing yet"
)

// askHealthPort asks the health port at address as a load balancer would.
func askHealthPort(ctx context.Context, address string) healthz.Verdict {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", http.NoBody)
	if err != nil {
		return noAnswer
	}
	req.Header.Set("User-Agent", healthz.SelfCheck)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return noAnswer
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	if err != nil {
		return noAnswer
	}
	return healthz.Verdict(answer)
}

// portWatch asks the health port all the time, so that nothing that the
// controller says of itself is better than what load balancers hear.
type portWatch struct {
	address  string
	question question[healthz.Verdict]
	// tell is told what is wrong with the answers, or "" when that is over.
	tell func(problem string)
}

// newPortWatch returns the watch of the health port at address, or nil where there
// is none.
func newPortWatch(address string, tell func(problem string)) *portWatch {
	if address == "" {
		return nil
	}
	w := &portWatch{address: address, tell: tell}
	w.question.timeout = portTimeout
	w.question.put = func(ctx context.Context) healthz.Verdict { return askHealthPort(ctx, address) }
	return w
}

// run asks until ctx ends.
func (w *portWatch) run(ctx context.Context) {
	var since time.Time // of the first no in a row
	for {
		verdict, _ := w.question.answer(ctx, portTimeout+time.Second)
		if ctx.Err() != nil {
			return
		}
		wait := portEvery
		if saysNo(verdict) {
			wait = portAgain
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) >= portMoment {
				w.tell(fmt.Sprintf("health checks at %s are answered with %q; load balancers send nobody here", w.address, verdict))
			}
		} else {
			since = time.Time{}
			w.tell("")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// saysNo reports whether a load balancer hears a no for a reason that the states
// of the components do not tell.
func saysNo(v healthz.Verdict) bool {
	return v != healthz.OK && v != healthz.Starting && v != healthz.Stopping
}
