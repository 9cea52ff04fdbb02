// SPDX-License-Identifier: Apache-2.0

// Package serving keeps a component's secure port open for as long as the
// component exists, while what is behind it changes from term to term: a
// standby answers health checks as a leader does.
package serving

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// drain is how long requests in flight may take once the port closes.
const drain = 5 * time.Second

// Handler is an http.Handler whose target can be replaced at any time.
type Handler struct {
	target atomic.Pointer[http.Handler]
}

// Set makes h answer from now on.
func (s *Handler) Set(h http.Handler) { s.target.Store(&h) }

// ServeHTTP answers 503 until Set was called.
func (s *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.target.Load()
	if h == nil {
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	(*h).ServeHTTP(w, r)
}

// Start serves handler on the port that info holds until ctx ends; wait blocks
// until the port is closed and the requests in flight are answered.
func Start(ctx context.Context, info *genericapiserver.SecureServingInfo, handler http.Handler) (wait func(), err error) {
	if info == nil { // --secure-port=0
		return func() {}, nil
	}
	stopped, listenerStopped, err := info.Serve(handler, drain, ctx.Done())
	if err != nil {
		return nil, fmt.Errorf("serving on %s: %w", info.Listener.Addr(), err)
	}
	return func() {
		<-listenerStopped
		<-stopped
	}, nil
}
