// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// ErrNotLeading is what a write gets when the lease is not held.
var ErrNotLeading = errors.New("write refused: the leader lease is not held")

// Fence lets requests that change something pass only while the lease is
// certainly held: for a while after each renewal. Being paused, starved or cut
// off therefore ends all writing even before anyone notices. Reads always pass,
// so that a standby can keep its caches warm. A Fence serves one term and is
// never opened again once closed.
type Fence struct {
	validity time.Duration

	mu      sync.Mutex
	until   time.Time // on the monotonic clock, which runs on through SIGSTOP
	closed  bool
	closing context.Context // ends when closed, and with it the writes in flight
	close   context.CancelFunc
}

// NewFence returns a Fence that lets nothing through yet and that each renewal
// opens for validity.
func NewFence(validity time.Duration) *Fence {
	f := &Fence{validity: validity}
	f.closing, f.close = context.WithCancel(context.Background())
	return f
}

// Until returns a Fence that is open until ctx ends: for clients whose requests take no
// context.
func Until(ctx context.Context) *Fence {
	f := NewFence(forever)
	f.Renewed(time.Now())
	context.AfterFunc(ctx, f.Close)
	return f
}

// Renewed opens the Fence for its validity from the moment the renewal was
// asked for.
func (f *Fence) Renewed(asked time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = asked.Add(f.validity)
}

// Close refuses all further writes and cuts off those in flight.
func (f *Fence) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.close()
}

// Closed reports whether Close was called.
func (f *Fence) Closed() bool { return f.closing.Err() != nil }

// Open reports whether a write may be sent now.
func (f *Fence) Open() bool { return f.remaining() > 0 }

func (f *Fence) remaining() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0
	}
	return time.Until(f.until)
}

// AwaitShut blocks until the Fence lets nothing through any more, or ctx ends.
func (f *Fence) AwaitShut(ctx context.Context) {
	for {
		left := f.remaining()
		if left <= 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-f.closing.Done():
			return
		case <-time.After(left):
		}
	}
}

// Wrap is a rest.Config wrapper (transport.WrapperFunc) that puts the Fence in
// front of rt.
func (f *Fence) Wrap(rt http.RoundTripper) http.RoundTripper {
	return &fenced{fence: f, next: rt}
}

type fenced struct {
	fence *Fence
	next  http.RoundTripper
}

// WrappedRoundTripper lets client-go find the transport below
// (k8s.io/apimachinery/pkg/util/net.RoundTripperWrapper).
func (t *fenced) WrappedRoundTripper() http.RoundTripper { return t.next }

func (t *fenced) RoundTrip(req *http.Request) (*http.Response, error) {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return t.next.RoundTrip(req)
	}
	if !t.fence.Open() {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, ErrNotLeading
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(t.fence.closing, func() { cancel(ErrNotLeading) })
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		stop()
		cancel(nil)
		return nil, err
	}
	resp.Body = &releasingBody{ReadCloser: resp.Body, release: func() { stop(); cancel(nil) }}
	return resp, nil
}

// releasingBody gives up a request's context when its answer has been read.
type releasingBody struct {
	io.ReadCloser
	release func()
}

func (b *releasingBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
