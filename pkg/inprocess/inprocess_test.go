// SPDX-License-Identifier: Apache-2.0

package inprocess

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	restclient "k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
)

// far is a server whose port is open, and a client of it.
type far struct {
	*http.Client
	url  string
	open *listener
	end  func()
	// socket counts what came by a connection.
	socket *counting
}

// counting is the transport with the sockets.
type counting struct {
	*http.Transport
	mu    sync.Mutex
	count int
}

func (c *counting) WrappedRoundTripper() http.RoundTripper { return c.Transport }

func (c *counting) RoundTrip(*http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	return httptest.NewRecorder().Result(), nil
}

// serve serves h at bind until the test ends, by which nothing may be left.
func serve(t *testing.T, bind string, h http.HandlerFunc) *far {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	l, err := net.Listen("tcp", bind)
	if err != nil {
		t.Fatal(err)
	}
	var s Server
	wrapped, end := s.Serve(t.Context(), l, h)
	f := &far{open: wrapped.(*listener), end: end, socket: &counting{Transport: &http.Transport{}}}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	f.url = "https://" + net.JoinHostPort("127.0.0.1", port)
	f.Client = &http.Client{Transport: s.Wrap(f.socket)}
	f.accept()
	t.Cleanup(func() { f.open.Close(); f.end() })
	return f
}

// accept is what net/http's server does.
func (f *far) accept() {
	go func() {
		for {
			if _, err := f.open.Accept(); err != nil {
				return
			}
		}
	}()
}

// get returns the body of an answer.
func (f *far) get() (string, error) {
	resp, err := f.Get(f.url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// TestAnswersAreTheSocketsAnswers asks one handler on both ways.
func TestAnswersAreTheSocketsAnswers(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	for _, c := range []struct {
		name, method, body string
		handler            http.HandlerFunc
	}{
		{"nothing", "GET", "", func(http.ResponseWriter, *http.Request) {}},
		{"short", "GET", "", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "short") }},
		{"json", "GET", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusConflict)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Late", "true")
			fmt.Fprint(w, `{"a":1}`)
		}},
		{"long", "GET", "", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, long) }},
		{"many", "GET", "", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 50_000 {
				fmt.Fprint(w, i)
			}
		}},
		{"flushed", "GET", "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "later")
		}},
		{"promised", "GET", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			fmt.Fprint(w, "abc")
		}},
		{"head", "HEAD", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "5")
			fmt.Fprint(w, "short")
		}},
		{"no content", "DELETE", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"request", "PUT", "content", func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintln(w, r.Method, r.URL, r.RequestURI, r.Proto, r.ContentLength, string(body), err)
			fmt.Fprintln(w, r.Header.Get("Authorization"), r.Header["Impersonate-Group"], r.Header.Get("User-Agent"))
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			fmt.Fprintln(w, r.TLS != nil, host, err, r.Host == r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
			r.Header.Del("Authorization")
		}},
		{"too large", "POST", long, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1000))
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := httptest.NewUnstartedServer(c.handler)
			socket.EnableHTTP2 = true
			socket.StartTLS()
			defer socket.Close()
			f := serve(t, "127.0.0.1:0", c.handler)
			answer := func(client *http.Client, url string) string {
				req, err := http.NewRequestWithContext(t.Context(), c.method, url+"/a%2fb/c?x=%20y&z", strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header = http.Header{"Authorization": {"Bearer x"}, "Impersonate-Group": {"a", "b"}, "User-Agent": {"test"}, "Accept-Encoding": {"identity"}}
				resp, err := client.Do(req)
				if err != nil {
					return err.Error()
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				resp.Header.Del("Date")
				if req.Header.Get("Authorization") == "" {
					t.Error("the client's request has changed")
				}
				return fmt.Sprintf("%s %s %v %d %s %v", resp.Status, resp.Proto, resp.Header, resp.ContentLength, body, err)
			}
			want, got := answer(socket.Client(), socket.URL), answer(f.Client, f.url)
			if got != want {
				t.Errorf("got %.300q\nwant %.300q", got, want)
			}
			if f.socket.count != 0 {
				t.Error("it went over the socket")
			}
		})
	}
}

func TestWatchesStream(t *testing.T) {
	next := make(chan string)
	ended := make(chan error, 1)
	f := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		closed := w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // what filters of the apiserver look for
		w.(http.Flusher).Flush()
		for {
			select {
			case <-r.Context().Done():
				<-closed
				_, err := fmt.Fprint(w, "nobody")
				ended <- err
				return
			case event := <-next:
				fmt.Fprintln(w, event)
				w.(http.Flusher).Flush()
			}
		}
	})
	for _, leave := range []string{"close", "cancel"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := f.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body := resp.Body
		lines := bufio.NewScanner(body)
		for _, event := range []string{"ADDED", "MODIFIED"} {
			next <- event
			if !lines.Scan() || lines.Text() != event {
				t.Fatalf("got %q, %v", lines.Text(), lines.Err())
			}
		}
		read := make(chan error)
		go func() {
			_, err := body.Read(make([]byte, 1))
			read <- err
		}()
		want := context.Canceled
		if leave == "cancel" {
			cancel()
		} else {
			want = http.ErrBodyReadAfterClose
			body.Close()
		}
		if err := <-read; !errors.Is(err, want) {
			t.Errorf("%s: the read ends with %v", leave, err)
		}
		if err := <-ended; !errors.Is(err, errClientGone) {
			t.Errorf("%s: the handler's write ends with %v", leave, err)
		}
	}
}

func TestAHandlerWaitsForASlowClient(t *testing.T) {
	wrote := make(chan int, 1000)
	ended := make(chan struct{})
	f := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for {
			n, err := w.Write(make([]byte, 1000))
			if err != nil {
				return
			}
			wrote <- n
		}
	})
	resp, err := f.Get(f.url)
	if err != nil {
		t.Fatal(err)
	}
	total := func() (n int) {
		for {
			select {
			case more := <-wrote:
				n += more
			case <-time.After(100 * time.Millisecond): // it has come to a halt
				return n
			}
		}
	}
	if n := total(); n > window {
		t.Errorf("%d bytes were written before anything was read", n)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, window/2)); err != nil {
		t.Fatal(err)
	}
	if n := total(); n == 0 || n > window {
		t.Errorf("%d bytes were written after half the window was read", n)
	}
	resp.Body.Close()
	<-ended
}

func TestAPanicEndsItsRequestOnly(t *testing.T) {
	for _, c := range []struct {
		name    string
		partial bool
		end     func()
	}{
		{"abort", false, func() { panic(http.ErrAbortHandler) }},
		{"abort half-way", true, func() { panic(http.ErrAbortHandler) }},
		{"panic", false, func() { panic("a fault of the test's") }},
		{"panic half-way", true, func() { panic("a fault of the test's") }},
		{"exit", false, runtime.Goexit},
		{"too short", true, func() {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) {
				if c.partial {
					w.Header().Set("Content-Length", "10")
					fmt.Fprint(w, "half")
					w.(http.Flusher).Flush()
				}
				c.end()
			})
			body, err := f.get()
			if !errors.Is(err, errAborted) || utilnet.IsProbableEOF(err) {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
}

// TestAFilterThatGivesUpEndsItsHandler is the request time-out of the apiserver
// (k8s.io/apiserver/pkg/server/filters/timeout.go).
func TestAFilterThatGivesUpEndsItsHandler(t *testing.T) {
	full, ended := make(chan struct{}), make(chan error, 1)
	f := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) {
		go func() {
			if _, err := w.Write(make([]byte, window)); err != nil {
				t.Error(err)
			}
			close(full)
			_, err := w.Write(make([]byte, 1)) // for which there is no room
			ended <- err
		}()
		<-full
		panic(http.ErrAbortHandler)
	})
	resp, err := f.Get(f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := <-ended; !errors.Is(err, errAborted) {
		t.Errorf("the handler's write ends with %v", err)
	}
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, errAborted) {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
}

func TestACancelledRequestReturnsAtOnce(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	read := make(chan error, 1)
	f := serve(t, "127.0.0.1:0", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		<-release
		_, err := r.Body.Read(make([]byte, 1))
		read <- err
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-arrived; cancel() }()
	resp, err := f.Do(req)
	if !errors.Is(err, context.Canceled) {
		resp.Body.Close()
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-read; !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("the body of a request that was given up was read: %v", err)
	}
}

type key struct{}

func TestTheHandlerHasTheServersContext(t *testing.T) {
	labels := make(chan string, 1)
	var ended <-chan struct{}
	f := serve(t, "127.0.0.1:0", func(_ http.ResponseWriter, r *http.Request) {
		ended = r.Context().Done()
		if r.Context().Value(key{}) != nil {
			t.Error("the client's context came in")
		}
		if r.Context().Value(http.ServerContextKey) == nil {
			t.Error("it is not in a server's context")
		}
		var profile bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
			t.Error(err)
		}
		for record := range strings.SplitSeq(profile.String(), "\n\n") {
			if strings.Contains(record, t.Name()+".func1") && strings.Contains(record, "inprocess.(*exchange).serve") {
				labels <- record
			}
		}
	})
	pprof.Do(context.WithValue(t.Context(), key{}, true), pprof.Labels("component", "client"), func(ctx context.Context) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := f.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	<-ended // with the handler, whether or not the client goes on
	if record := <-labels; strings.Contains(record, `"client"`) {
		t.Errorf("the handler's goroutine is labelled as the client's:\n%s", record)
	}
}

func TestItIsOpenWhileThePortIs(t *testing.T) {
	before := goleak.IgnoreCurrent()
	defer goleak.VerifyNone(t, before)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var s Server
	arrived := make(chan struct{})
	wrapped, end := s.Serve(t.Context(), l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/watch" {
			w.(http.Flusher).Flush()
			close(arrived)
			<-r.Context().Done()
		}
	}))
	f := &far{open: wrapped.(*listener), url: "https://" + l.Addr().String(), Client: &http.Client{Transport: s.Wrap(&http.Transport{})}}
	refused := func(when string) {
		t.Helper()
		_, err := f.get()
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || !errors.Is(err, syscall.ECONNREFUSED) || !utilnet.IsConnectionRefused(err) {
			t.Errorf("%s: %v", when, err)
		}
	}
	brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(brief, http.MethodGet, f.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := f.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before it accepts: %v", err)
	}
	early := make(chan error)
	go func() {
		_, err := f.get()
		early <- err
	}()
	f.accept()
	if err := <-early; err != nil {
		t.Error(err)
	}
	watch, err := f.Get(f.url + "/watch")
	if err != nil {
		t.Fatal(err)
	}
	<-arrived
	wrapped.Close()
	refused("while it drains")
	end()
	if _, err := io.ReadAll(watch.Body); err != nil {
		t.Errorf("the watch ends with %v", err)
	}
	watch.Body.Close()
	refused("after its end")
}

func TestOnlyTheOwnPortIsReachedWithoutASocket(t *testing.T) {
	for _, c := range []struct {
		bind, host string
		own        bool
		alter      func(*http.Request, *http.Transport)
	}{
		{"127.0.0.1:0", "127.0.0.1", true, nil},
		{"127.0.0.1:0", "localhost", true, nil},
		{"0.0.0.0:0", "127.0.0.1", true, nil},
		{"0.0.0.0:0", "127.0.0.2", true, nil},
		{"0.0.0.0:0", "localhost", true, nil},
		{"127.0.0.2:0", "127.0.0.2", true, nil},
		{"127.0.0.2:0", "127.0.0.1", false, nil},
		{"127.0.0.2:0", "localhost", false, nil},
		{"0.0.0.0:0", "192.0.2.1", false, nil},
		{"0.0.0.0:0", "balancer.example", false, nil},
		{"0.0.0.0:0", "127.0.0.1", false, func(r *http.Request, _ *http.Transport) { r.URL.Host = "127.0.0.1:1" }},
		{"0.0.0.0:0", "127.0.0.1", false, func(r *http.Request, _ *http.Transport) { r.URL.Host = "127.0.0.1" }},
		{"0.0.0.0:0", "127.0.0.1", false, func(r *http.Request, _ *http.Transport) { r.URL.Scheme = "http" }},
		{"0.0.0.0:0", "127.0.0.1", false, func(r *http.Request, _ *http.Transport) { r.Header.Set("Upgrade", "SPDY/3.1") }},
		{"0.0.0.0:0", "127.0.0.1", false, func(r *http.Request, s *http.Transport) {
			proxy := *r.URL
			s.Proxy = http.ProxyURL(&proxy)
		}},
	} {
		t.Run(fmt.Sprint(c.bind, " ", c.host), func(t *testing.T) {
			f := serve(t, c.bind, func(http.ResponseWriter, *http.Request) {})
			_, port, _ := net.SplitHostPort(f.open.Addr().String())
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+net.JoinHostPort(c.host, port), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if c.alter != nil {
				c.alter(req, f.socket.Transport)
			}
			resp, err := f.Transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if own := f.socket.count == 0; own != c.own {
				t.Errorf("without a socket: %v", own)
			}
		})
	}
}

func TestAddressesOfTheOwnPort(t *testing.T) {
	for _, c := range []struct {
		bound, host, source string
	}{
		{"0.0.0.0", "127.0.0.1", "127.0.0.1"},
		{"0.0.0.0", "::1", "<nil>"},
		{"::", "::1", "::1"},
		{"::", "127.0.0.1", "127.0.0.1"},
		{"::", "10.240.0.10", "<nil>"},
		{"10.240.0.10", "10.240.0.10", "10.240.0.10"},
		{"10.240.0.10", "127.0.0.1", "<nil>"},
		{"::1", "localhost", "<nil>"}, // the other family, perhaps
	} {
		p := &port{addr: &net.TCPAddr{IP: net.ParseIP(c.bound)}}
		if got := p.source(c.host).String(); got != c.source {
			t.Errorf("bound to %s, %s comes from %s, want %s", c.bound, c.host, got, c.source)
		}
	}
}

func TestNobodyWritesMoreThanWasPromised(t *testing.T) {
	f := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		if _, err := fmt.Fprint(w, "abcd"); !errors.Is(err, http.ErrContentLength) {
			t.Errorf("more than was promised: %v", err)
		}
		w.WriteHeader(http.StatusNoContent)
		fmt.Fprint(w, "abc")
	})
	if body, err := f.get(); body != "abc" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestBeforeThereIsAPortEverythingGoesOverSockets(t *testing.T) {
	var s Server
	c := &counting{Transport: &http.Transport{}}
	resp, err := s.Wrap(c).RoundTrip(httptest.NewRequest(http.MethodGet, "https://127.0.0.1:6443", http.NoBody))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if c.count != 1 {
		t.Error("it went nowhere")
	}
}

func TestTheServerSeesTheClientsCertificate(t *testing.T) {
	pair := func(name string) (cert, key []byte) {
		cert, key, err := certutil.GenerateSelfSignedCertKey(name, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	cert, key := pair("first")
	f := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.TLS.PeerCertificates {
			fmt.Fprint(w, c.DNSNames, " ")
		}
	})
	ask := func(name string, tlsConfig *tls.Config) string {
		t.Helper()
		s := f.Transport.(*transport).server
		f.Client = &http.Client{Transport: s.Wrap(&http.Transport{TLSClientConfig: tlsConfig})}
		for range 2 { // the second time it is known
			body, err := f.get()
			if err != nil {
				return err.Error()
			}
			if !strings.Contains(body, name) {
				t.Errorf("%s: the server sees %q", name, body)
			}
		}
		return ""
	}
	own, err := restclient.TLSConfigFor(&restclient.Config{TLSClientConfig: restclient.TLSClientConfig{Insecure: true, CertData: cert, KeyData: key}})
	if err != nil {
		t.Fatal(err)
	}
	ask("first", own)
	ask("", &tls.Config{})
	ask("", nil)

	replaced, key := pair("second")
	second, err := tls.X509KeyPair(replaced, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cert *tls.Certificate
		err  error
		want string
	}{
		{&second, nil, ""},
		{nil, errors.New("no such file"), "loading the client certificate: no such file"},
		{&tls.Certificate{Certificate: [][]byte{{1}}}, nil, "parsing the client certificate"},
	} {
		own.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.cert, c.err }
		if got := ask("second", own); !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	f := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, r.Body)
		if err != nil {
			t.Error(err)
		}
	})
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			want := strings.Repeat(strconv.Itoa(i), 10_000)
			resp, err := f.Post(f.url, "text/plain", strings.NewReader(want))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
				t.Errorf("%d: got %d bytes, %v", i, len(got), err)
			}
		})
	}
	all.Wait()
}

func TestAPortThatIsNeverAcceptedOnRefusesOnceItIsClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var s Server
	wrapped, end := s.Serve(t.Context(), l, http.NotFoundHandler())
	defer end()
	client := &http.Client{Transport: s.Wrap(&http.Transport{})}
	waiting := make(chan error)
	go func() {
		resp, err := client.Get("https://" + l.Addr().String())
		if err == nil {
			resp.Body.Close()
		}
		waiting <- err
	}()
	wrapped.Close()
	if err := <-waiting; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}
