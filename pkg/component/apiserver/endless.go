// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
)

// endless are the requests that do not end by themselves, and for whose end no wait
// group of the server waits: logs that are followed, exec, attach, port-forward, and what
// is proxied. Watches are not among them: the server ends those itself.
//
// Left alone, they keep their connections open until the server gives up on those, which
// it calls an error without a name, "Failed to shutdown server", and the process ends.
type endless struct {
	mu       sync.Mutex
	requests map[*http.Request]struct{}
}

// follow has requests that long says are long known to e while h answers them.
func (e *endless) follow(h http.Handler, long request.LongRunningRequestCheck) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, ok := request.RequestInfoFrom(r.Context())
		if ok && long != nil && long(r, info) && info.Verb != "watch" {
			e.add(r)
			defer e.remove(r)
		}
		h.ServeHTTP(w, r)
	})
}

func (e *endless) add(r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.requests == nil {
		e.requests = map[*http.Request]struct{}{}
	}
	e.requests[r] = struct{}{}
}

func (e *endless) remove(r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.requests, r)
}

// cut says which are there, when nobody else is any more, and closes their connections
// once patience is over: a client then sees that it was the server who went, and takes no
// log for complete. One that was upgraded, as those of exec are, is closed by the end of
// the process.
func (e *endless) cut(patience <-chan time.Time) {
	all := e.all()
	if len(all) == 0 {
		return
	}
	var what []string
	for _, r := range all {
		what = append(what, r.Method+" "+r.URL.Path) // the query may hold what was executed
	}
	slices.Sort(what)
	klog.InfoS("Cutting off requests that do not end by themselves", "count", len(what), "requests", slices.Compact(what))
	<-patience
	if server, ok := all[0].Context().Value(http.ServerContextKey).(*http.Server); ok {
		// Its port is closed already, and of what it closes nobody hears.
		_ = server.Close()
	}
}

func (e *endless) all() []*http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []*http.Request
	for r := range e.requests {
		all = append(all, r)
	}
	return all
}
