// SPDX-License-Identifier: Apache-2.0

package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"

	"k8s.io/klog/v2"
)

// What is kept between the handler and the client, in bytes.
const (
	// window is how much a handler writes ahead of its client before it waits.
	window = 64 << 10
	// portion is how much is written before the client is woken without a Flush.
	portion = 16 << 10
	// spare is the largest buffer that is kept for what comes next: a watch that was
	// busy once holds no more.
	spare = 4 << 10
)

// errAborted is what a client gets when the handler did not come to its end. It is
// not io.ErrUnexpectedEOF itself, which client-go would try again; HTTP/2's is not
// either.
var errAborted = fmt.Errorf("the server aborted the request: %w", io.ErrUnexpectedEOF)

// errClientGone is what a handler's writes get when nobody reads any more.
var errClientGone = errors.New("the client is gone")

// exchange is one request with its response: the handler writes at one end, and
// the client reads at the other.
type exchange struct {
	request *http.Request // as the server sees it
	cancel  context.CancelFunc
	header  http.Header // the handler's, until it is sent

	mu      sync.Mutex
	changed sync.Cond
	status  int         // zero until the header is written
	sent    http.Header // as it was then
	// length is what Content-Length promises, or -1; written is what came.
	length, written int64
	ready           bool   // the client may have the header
	buffer          []byte // what the client has not read, from read on
	read            int
	end             error // what the client gets after that
	gone            error // what the handler gets: there is no client any more
}

// exchange has the handler answer incoming, and returns its response to the client's
// request once the header is there.
func (p *port) exchange(incoming, req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(p.base)
	e := &exchange{cancel: cancel, header: http.Header{}, length: -1}
	e.changed.L = &e.mu
	body := &requestBody{ReadCloser: incoming.Body}
	incoming.Body = body
	e.request = incoming.WithContext(ctx)
	stop := context.AfterFunc(req.Context(), func() {
		e.leave(req.Context().Err())
		body.Close()
	})
	go func() {
		defer stop()
		defer body.Close()
		e.serve(ctx, p.handler)
	}()
	return e.response(req)
}

// serve calls the handler as net/http's server does: a panic ends this request and
// nothing else.
func (e *exchange) serve(ctx context.Context, h http.Handler) {
	// Not the client's, which this goroutine has inherited.
	pprof.SetGoroutineLabels(ctx)
	defer e.cancel()
	returned := false
	defer func() {
		if returned {
			e.finish()
			return
		}
		// Goexit has no reason either, and aborts as well.
		reason := recover()
		if err, ok := reason.(error); reason != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
			klog.ErrorS(nil, "A request panicked", "method", e.request.Method, "path", e.request.URL.Path, "reason", reason, "stack", string(debug.Stack()))
		}
		e.abort()
	}()
	h.ServeHTTP(&response{e}, e.request)
	returned = true
}

// response waits for the header.
func (e *exchange) response(req *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for !e.ready && e.gone == nil && !e.failed() {
		e.changed.Wait()
	}
	switch {
	case e.gone != nil:
		return nil, e.gone
	case !e.ready:
		return nil, e.end
	}
	return &http.Response{
		Status: strconv.Itoa(e.status) + " " + http.StatusText(e.status), StatusCode: e.status,
		Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: e.sent, ContentLength: e.length,
		Body: &responseBody{e}, Request: req,
	}, nil
}

// failed reports whether there will be no more than there is.
func (e *exchange) failed() bool { return e.end != nil && !errors.Is(e.end, io.EOF) }

// leave ends the exchange from the client's side.
func (e *exchange) leave(reason error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone == nil {
		e.gone = reason
		e.buffer, e.read = nil, 0
	}
	e.cancel()
	e.changed.Broadcast()
}

// finish ends the response; one that is short enough to be all here has a length.
func (e *exchange) finish() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writeHeader(http.StatusOK)
	switch {
	case e.request.Method == http.MethodHead:
	case !e.ready && e.length < 0:
		e.length = e.written
		if bodyAllowed(e.status) {
			e.sent.Set("Content-Length", strconv.FormatInt(e.length, 10))
		}
	case e.length > e.written:
		e.end = errAborted // it has promised more
	}
	if e.end == nil {
		e.end = io.EOF
	}
	e.ready = true
	e.changed.Broadcast()
}

// abort cuts the response off; what was not flushed may be lost.
func (e *exchange) abort() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.end == nil {
		e.end = errAborted
	}
	e.changed.Broadcast()
}

// requestBody is a client's body that nobody reads once it is closed: the client may
// use it again then.
type requestBody struct {
	io.ReadCloser
	mu     sync.Mutex
	closed bool
	once   sync.Once
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.ReadCloser.Read(p)
}

func (b *requestBody) Close() (err error) {
	// First, for a Read that waits ends with it.
	b.once.Do(func() { err = b.ReadCloser.Close() })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return err
}
