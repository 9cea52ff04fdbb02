// SPDX-License-Identifier: Apache-2.0

// Package healthz is the lab's nginx as a part of the program: health checks over
// plain HTTP, for load balancers that cannot do them over HTTPS. It asks the
// local apiserver, gives away nothing but the verdict, and cannot be used to
// trouble the apiserver: however many ask, few questions reach it.
package healthz

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Limits of the plain-HTTP side. A health check is one short request.
const (
	headerTimeout = 2 * time.Second
	ioTimeout     = 5 * time.Second
	idleTimeout   = 2 * time.Minute // beyond every load balancer's check interval
	maxHeader     = 4 << 10         // bytes; net/http adds as much as it needs itself
	maxConns      = 1024
	drain         = 250 * time.Millisecond // the last in a stop; all that is answered by then is "stopping"
)

// Proxy answers health checks.
type Proxy struct {
	// NotReady returns Starting or Stopping while the answer is that whatever the
	// apiserver says, and "" otherwise.
	NotReady func() Verdict
	// Prober asks the apiserver.
	Prober *Prober
	// Checkers are told of every health check; nil for nobody.
	Checkers *Checkers
}

// Serve answers on l until ctx ends, and closes l.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	conns := newConns(maxConns)
	server := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       ioTimeout,
		WriteTimeout:      ioTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         conns.track,
		ErrorLog:          log.New(io.Discard, "", 0), // whoever connects does not write our log
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// paths maps what can be asked here to what is asked of the apiserver. The lab's
// AWS target HTTP:80/ asks for "/", where nginx would show its welcome page.
var paths = map[string]string{"/": "/healthz", "/healthz": "/healthz", "/livez": "/livez", "/readyz": "/readyz"}

// Answers to what is no health check.
const (
	unknownPath Verdict = "unknown"
	wrongMethod Verdict = "method"
)

// ServeHTTP implements http.Handler. Any Host is as good as the lab's, and a
// query is ignored.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // nobody reads the body
	}
	path, ok := paths[r.URL.Path]
	switch {
	case !ok:
		answer(w, http.StatusNotFound, unknownPath)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, http.StatusMethodNotAllowed, wrongMethod)
		return
	}
	begun := time.Now()
	verdict := p.NotReady()
	if verdict == "" {
		verdict = p.Prober.Ask(path)
	}
	if p.Checkers != nil {
		p.Checkers.Saw(r, path, begun, verdict == OK)
	}
	if verdict == OK {
		answer(w, http.StatusOK, OK)
		return
	}
	answer(w, http.StatusServiceUnavailable, verdict)
}

// answer writes one word, as the apiserver does.
func answer(w http.ResponseWriter, code int, v Verdict) {
	requests.WithLabelValues(string(v)).Inc()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// A client that has gone away is no trouble of ours.
	_, _ = io.WriteString(w, string(v))
}
