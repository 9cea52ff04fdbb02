// SPDX-License-Identifier: Apache-2.0

package inprocess

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// response is the handler's end of an exchange.
type response struct{ *exchange }

// Header implements http.ResponseWriter.
func (r *response) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter. Informational answers are none.
func (r *response) WriteHeader(status int) {
	if status < http.StatusOK {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writeHeader(status)
}

// Write implements http.ResponseWriter. It waits for a client that is slow.
func (r *response) Write(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writeHeader(http.StatusOK)
	switch {
	case !bodyAllowed(r.status):
		return 0, http.ErrBodyNotAllowed
	case r.length >= 0 && r.written+int64(len(p)) > r.length:
		return 0, http.ErrContentLength
	}
	if r.written == 0 {
		r.sniff(p)
	}
	r.written += int64(len(p))
	if r.request.Method == http.MethodHead {
		return len(p), nil
	}
	for n < len(p) {
		switch {
		case r.gone != nil:
			return n, errClientGone
		case r.end != nil:
			return n, errAborted // by a filter whose handler still writes
		}
		room := min(window-(len(r.buffer)-r.read), len(p)-n)
		if room <= 0 {
			r.changed.Wait()
			continue
		}
		r.buffer = append(r.buffer, p[n:n+room]...)
		n += room
		if len(r.buffer)-r.read >= portion {
			r.ready = true
			r.changed.Broadcast()
		}
	}
	return n, nil
}

// Flush implements http.Flusher.
func (r *response) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writeHeader(http.StatusOK)
	r.ready = true
	r.changed.Broadcast()
}

// CloseNotify implements http.CloseNotifier: the filters of the apiserver tell by it
// that this is a server's own writer (k8s.io/apiserver/pkg/endpoints/responsewriter).
func (r *response) CloseNotify() <-chan bool {
	closed := make(chan bool, 1)
	context.AfterFunc(r.request.Context(), func() { closed <- true })
	return closed
}

// connectionHeaders are about a connection and not sent in HTTP/2.
var connectionHeaders = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"}

// writeHeader takes the header as it is now, if it is not taken yet.
func (e *exchange) writeHeader(status int) {
	if e.status != 0 {
		return
	}
	e.status, e.sent = status, maps.Clone(e.header)
	for name, values := range e.sent {
		e.sent[name] = slices.Clone(values)
	}
	for _, name := range connectionHeaders {
		e.sent.Del(name)
	}
	if length, err := strconv.ParseInt(e.sent.Get("Content-Length"), 10, 64); err == nil && length >= 0 {
		e.length = length
	} else {
		e.sent.Del("Content-Length")
	}
}

// sniff names the type of a body whose handler has not, as net/http does.
func (e *exchange) sniff(p []byte) {
	if _, named := e.sent["Content-Type"]; !named && !e.ready && e.sent.Get("Content-Encoding") == "" && len(p) > 0 {
		e.sent.Set("Content-Type", http.DetectContentType(p))
	}
}

// bodyAllowed reports whether an answer with status has a body.
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// responseBody is the client's end of an exchange.
type responseBody struct{ *exchange }

// Read implements io.Reader.
func (b *responseBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case b.gone != nil:
			return 0, b.gone
		case b.read < len(b.buffer):
			return b.take(p), nil
		case b.end != nil:
			return 0, b.end
		case len(p) == 0:
			return 0, nil
		}
		b.changed.Wait()
	}
}

// take takes out of the buffer what p has room for.
func (e *exchange) take(p []byte) int {
	full := len(e.buffer)-e.read >= window
	n := copy(p, e.buffer[e.read:])
	e.read += n
	if e.read == len(e.buffer) {
		e.read = 0
		if e.buffer = e.buffer[:0]; cap(e.buffer) > spare {
			e.buffer = nil
		}
	}
	if full {
		e.changed.Broadcast() // the handler waits
	}
	return n
}

// Close implements io.Closer. The handler hears of it.
func (b *responseBody) Close() error {
	b.leave(http.ErrBodyReadAfterClose)
	return nil
}

var _ io.ReadCloser = (*responseBody)(nil)
