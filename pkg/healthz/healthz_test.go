// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/component-base/metrics/testutil"
)

// serving is a controller that is neither starting nor stopping.
func serving() Verdict { return "" }

// serve runs a Proxy on loopback until the test ends.
func serve(t testing.TB, notReady func() Verdict, b Backend) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- (&Proxy{NotReady: notReady, Prober: NewProber(b, 0)}).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestAnswers(t *testing.T) {
	stopping := func() Verdict { return Stopping }
	for name, test := range map[string]struct {
		notReady     func() Verdict
		verdict      Verdict
		method, path string
		code         int
		body         string
	}{
		"the lab's":                {serving, OK, "GET", "/healthz", 200, "ok"},
		"the lab's AWS target":     {serving, OK, "GET", "/", 200, "ok"},
		"livez":                    {serving, OK, "GET", "/livez", 200, "ok"},
		"readyz":                   {serving, OK, "GET", "/readyz", 200, "ok"},
		"HEAD":                     {serving, OK, "HEAD", "/healthz", 200, ""},
		"a query is ignored":       {serving, OK, "GET", "/healthz?verbose", 200, "ok"},
		"not ok":                   {serving, Etcd, "GET", "/healthz", 503, "etcd"},
		"/ tells the truth":        {serving, Unreachable, "GET", "/", 503, "unreachable"},
		"not ready":                {stopping, OK, "GET", "/healthz", 503, "stopping"},
		"unknown":                  {serving, OK, "GET", "/healthz/etcd", 404, "unknown"},
		"metrics are not for here": {serving, OK, "GET", "/metrics", 404, "unknown"},
		"unknown, not ready":       {stopping, OK, "GET", "/x", 404, "unknown"},
		"POST":                     {serving, OK, "POST", "/healthz", 405, "method"},
		"DELETE":                   {serving, OK, "DELETE", "/", 405, "method"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(test.method, test.path, http.NoBody)
			r.Host = "kubernetes.default.svc.cluster.local"
			server := httptest.NewServer(&Proxy{NotReady: test.notReady, Prober: NewProber(&fakeBackend{verdict: test.verdict}, 0)})
			defer server.Close()
			r.URL.Scheme, r.URL.Host, r.RequestURI = "http", server.Listener.Addr().String(), ""
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.Copy(w, resp.Body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.code || w.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, w.Body, test.code, test.body)
			}
			if got := resp.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", got)
			}
			var more []string
			for name := range resp.Header {
				if !slices.Contains([]string{"Content-Type", "Content-Length", "Date", "X-Content-Type-Options", "Allow"}, name) {
					more = append(more, name)
				}
			}
			if more != nil {
				t.Errorf("more headers than wanted: %v", more)
			}
		})
	}
}

// say writes raw bytes and returns all that comes back.
func say(t testing.TB, address string, data []byte) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The server may have hung up on it before the end.
	_, _ = conn.Write(data)
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

const check = "GET /healthz HTTP/1.1\r\nHost: kubernetes.default.svc.cluster.local\r\n\r\n"

func TestBadRequestsGetNowhere(t *testing.T) {
	b := &fakeBackend{verdict: OK}
	address := serve(t, serving, b)
	for name, test := range map[string]struct{ request, want string }{
		"a long header":   {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "431"},
		"a long URL":      {"GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", "431"},
		"a body":          {"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", "Connection: close"},
		"a small body":    {"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "Connection: close"},
		"TLS":             {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},
		"garbage":         {"\x00\xff\r\n\r\n", "400"},
		"HTTP/2":          {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
		"an absolute URL": {"GET http://169.254.169.254/healthz HTTP/1.1\r\nHost: a\r\n\r\n", "ok"},
		"CONNECT":         {"CONNECT 127.0.0.1:6443 HTTP/1.1\r\nHost: a\r\n\r\n", "40"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := say(t, address, []byte(test.request)); !strings.Contains(got, test.want) {
				t.Errorf("got %.200q, want %q", got, test.want)
			}
		})
	}
	if got := say(t, address, []byte(check)); !strings.HasSuffix(got, "\r\n\r\nok") {
		t.Errorf("a health check gets %q", got)
	}
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	net.Listener
	conns chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error { return nil }

func TestHalfARequestIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes{conns: make(chan net.Conn)}
		served := make(chan error)
		go func() {
			served <- (&Proxy{NotReady: serving, Prober: NewProber(&fakeBackend{verdict: OK}, 0)}).Serve(t.Context(), p)
		}()
		client, server := net.Pipe()
		p.conns <- server
		begun := time.Now()
		if _, err := io.WriteString(client, "GET /heal"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, client); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took < headerTimeout || took > headerTimeout+time.Second {
			t.Errorf("it is given up after %s, want %s", took, headerTimeout)
		}
		close(p.conns)
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestAnswersAreCounted(t *testing.T) {
	address := serve(t, func() Verdict { return Stopping }, &fakeBackend{})
	counted := func() float64 {
		n, err := testutil.GetCounterMetricValue(requests.WithLabelValues(string(Stopping)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := counted()
	say(t, address, []byte(check))
	if got := counted() - before; got != 1 {
		t.Errorf("one answer counts as %v", got)
	}
}

func TestWhoeverSitsOnConnectionsLosesThem(t *testing.T) {
	address := serve(t, serving, &fakeBackend{verdict: OK})
	var sitting []net.Conn
	for range maxConns + 200 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /heal"); err != nil {
			t.Fatal(err)
		}
		sitting = append(sitting, conn)
	}
	if got := say(t, address, []byte(check)); !strings.HasSuffix(got, "ok") {
		t.Errorf("a health check gets %q", got)
	}
	for i, conn := range sitting {
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("connection %d is still there after %d bytes: %v", i, n, err)
		}
	}
}

func TestAKeptConnectionOutlivesTheSitting(t *testing.T) {
	c := newConns(2)
	var ends []net.Conn
	pipe := func() net.Conn {
		a, b := net.Pipe()
		ends = append(ends, a, b)
		c.track(a, http.StateNew)
		return a
	}
	defer func() {
		for _, e := range ends {
			e.Close()
		}
	}()
	kept, sitting := pipe(), pipe()
	c.track(kept, http.StateActive)
	c.track(kept, http.StateIdle) // it has completed a request
	pipe()
	if _, there := c.all[sitting]; there {
		t.Error("the connection without a request was kept")
	}
	if _, there := c.all[kept]; !there {
		t.Error("the connection with a request was closed")
	}
	c.track(kept, http.StateClosed)
	c.track(kept, http.StateIdle) // late
	if len(c.all) != 1 || c.order.Len() != 1 {
		t.Errorf("%d and %d connections are kept track of, want 1", len(c.all), c.order.Len())
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(check))
	f.Add([]byte("HEAD / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("POST /readyz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
	f.Add([]byte("GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /%2e%2e/healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
	address := serve(f, serving, &fakeBackend{verdict: OK})
	f.Fuzz(func(t *testing.T, data []byte) {
		answer := []byte(say(t, address, data))
		for len(answer) > 0 {
			r := bufio.NewReader(bytes.NewReader(answer))
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				return // to a HEAD, say
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return
			}
			switch resp.StatusCode {
			case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusExpectationFailed,
				http.StatusRequestHeaderFieldsTooLarge, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
			default:
				t.Errorf("%d %s to %q", resp.StatusCode, body, data)
			}
			if answer, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if got := say(t, address, []byte(check)); !strings.HasSuffix(got, "ok") {
			t.Errorf("after %q a health check gets %q", data, got)
		}
	})
}

func BenchmarkServe(b *testing.B) {
	address := serve(b, serving, &fakeBackend{verdict: OK})
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for pb.Next() {
			fmt.Fprint(conn, check)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
