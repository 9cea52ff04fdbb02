// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/waitgroup"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/klog/v2"
)

// drainCheck is the check of /readyz that fails once a stop has begun. Upstream's own,
// shutdown, does when the server itself is told to stop, which is later.
const drainCheck = "drain"

// lateFor is for how long requests are served that come when the port is closed
// already: those whose connection did not know yet.
const lateFor = 250 * time.Millisecond

// drain is how the server takes leave of its clients. Once it has begun, whoever asks
// is answered, and told to use another connection next: by Connection: close, which
// is a GOAWAY on HTTP/2 (golang.org/x/net/http2, writeHeaders). What is under way on a
// connection comes to its end.
type drain struct {
	begun  atomic.Bool
	closed chan struct{} // once the port is
	close  func()
	// early are the requests that the server itself waits for, late those that it
	// would refuse: after its port is closed, upstream answers with "apiserver is
	// shutting down" whoever is behind a connection that is still open
	// (k8s.io/apiserver/pkg/server/filters/waitgroup.go, withWaitGroup).
	early, late *waitgroup.SafeWaitGroup
	// endless are those that nobody waits for.
	endless endless
}

func newDrain() *drain {
	d := &drain{closed: make(chan struct{}), late: new(waitgroup.SafeWaitGroup)}
	d.close = sync.OnceFunc(func() { close(d.closed) })
	return d
}

// install puts the drain in front of a server. Requests have the chain of filters
// that the server has made; from the beginning of the drain on one that is the same,
// but for who waits for their end.
func (d *drain) install(config *genericapiserver.Config) error {
	build := config.BuildHandlerChainFunc
	config.BuildHandlerChainFunc = func(h http.Handler, c *genericapiserver.Config) http.Handler {
		patient := *c
		patient.NonLongRunningRequestWaitGroup = d.late
		patient.WatchRequestWaitGroup = new(waitgroup.RateLimitedSafeWaitGroup)
		h = d.endless.follow(h, c.LongRunningFunc)
		return d.choose(build(h, c), build(h, &patient))
	}
	if config.ShutdownSendRetryAfter {
		d.close() // it stays open until all requests are answered, and says 429 to new ones
	}
	d.early = config.NonLongRunningRequestWaitGroup
	return d.early.Add(1) // until end
}

// choose answers with usual, and in the drain with patient.
func (d *drain) choose(usual, patient http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.begun.Load() {
			usual.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		patient.ServeHTTP(w, r)
	})
}

// check fails once the drain has begun.
func (d *drain) check() healthz.HealthChecker {
	return healthz.NamedCheck(drainCheck, func(*http.Request) error {
		if d.begun.Load() {
			return errors.New("this controller stops")
		}
		return nil
	})
}

// listener tells when the port is closed.
func (d *drain) listener(l net.Listener) net.Listener { return &drained{l, d} }

type drained struct {
	net.Listener
	drain *drain
}

func (l *drained) Close() error {
	defer l.drain.close()
	return l.Listener.Close()
}

// end has the server end, once ctx has ended and its port is closed, when all late
// requests are answered; and when all others are, too, it ends those that do not end by
// themselves.
func (d *drain) end(ctx context.Context, drained <-chan struct{}) {
	<-ctx.Done()
	<-d.closed
	patience := time.After(closeTimeout - ahead)
	time.Sleep(lateFor)
	d.late.Wait()
	d.early.Done()
	<-drained
	d.endless.cut(patience)
}

// ahead is how long before the server gives up on open connections they are closed.
const ahead = 500 * time.Millisecond

// TakeLeave begins a drain: /readyz says no, clients are told to use another
// connection, and the service `kubernetes` does not lead here any more. Everybody is
// served still.
func (s *Server) TakeLeave(ctx context.Context) {
	s.drain.begun.Store(true)
	deregister := s.deregister.Load()
	if deregister == nil || s.Ready(ctx) != nil {
		return
	}
	// Without etcd it takes long, and nobody waits for it.
	go func() {
		if err := (*deregister)(); err != nil {
			klog.ErrorS(err, "Taking this apiserver out of the service kubernetes")
		}
	}()
}
