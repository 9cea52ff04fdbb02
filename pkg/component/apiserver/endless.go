// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
)

// endless are the requests that do not end by themselves, and for whose end no wait
// group of the server waits: logs that are followed, exec, attach, port-forward, and what
// is proxied. Watches are not among them: the server ends those itself.
//
// Left alone, they keep their connections, which the server waits for until its
// patience is over, says "Failed to shutdown server", and leaves to the end of the process.
type endless struct {
	mu       sync.Mutex
	over     bool
	requests map[*http.Request]context.CancelFunc
}

// cutHeader marks a response, from the handler of a request to the one around all
// filters. It is set too late to be sent.
const cutHeader = "Khw-Cut-Off"

// follow has requests that long says are long known to e while h answers them.
func (e *endless) follow(h http.Handler, long request.LongRunningRequestCheck) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, ok := request.RequestInfoFrom(r.Context())
		if !ok || long == nil || !long(r, info) || info.Verb == "watch" {
			h.ServeHTTP(w, r)
			return
		}
		ctx, end := e.begin(r)
		h.ServeHTTP(w, r.WithContext(ctx))
		if end() {
			w.Header()[cutHeader] = nil
		}
	})
}

// begin returns the context of a request, and what is to be called at its end and tells
// whether it was cut off.
func (e *endless) begin(r *http.Request) (context.Context, func() (cut bool)) {
	ctx, cancel := context.WithCancel(r.Context())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.requests == nil {
		e.requests = map[*http.Request]context.CancelFunc{}
	}
	e.requests[r] = cancel
	if e.over {
		cancel()
	}
	return ctx, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.requests, r)
		cancel()
		return e.over
	}
}

// cut cuts all of them off.
func (e *endless) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	if len(e.requests) == 0 {
		return
	}
	var what []string
	for r, cancel := range e.requests {
		what = append(what, r.Method+" "+r.URL.Path) // the query may hold what was executed
		cancel()
	}
	slices.Sort(what)
	klog.InfoS("Cutting off requests that do not end by themselves", "count", len(what), "requests", slices.Compact(what))
}

// abortIfCut has a response that was cut off end as one that is not complete, so that
// nobody takes a log for finished. It is called around all filters: one of them takes the
// panic for a mishap (k8s.io/apiserver/pkg/server/filters/wrap.go).
func abortIfCut(w http.ResponseWriter) {
	if _, cut := w.Header()[cutHeader]; cut {
		panic(http.ErrAbortHandler)
	}
}
