// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

// caOf writes a test server's certificate into a file, as the CA.
func caOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// token is as whom the tests ask.
const token = "health"

func TestBackend(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Audit-Id", "secret")
		if got := r.Header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("%s is asked as %q", r.URL.Path, got)
		}
		switch r.URL.Path {
		case "/healthz":
			fmt.Fprint(w, "ok")
		case "/livez":
			http.Error(w, "[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed", http.StatusInternalServerError)
		case "/readyz":
			http.Error(w, "[+]etcd ok\n[-]informer-sync failed: reason withheld\nreadyz check failed", http.StatusInternalServerError)
		case "/unknown":
			http.Error(w, "[-]etcd failed", http.StatusUnauthorized)
		case "/forbidden":
			http.Error(w, "no", http.StatusForbidden)
		case "/redirect":
			http.Redirect(w, r, "/healthz", http.StatusFound)
		default:
			<-hang
		}
	}))
	defer server.Close()
	defer close(hang)
	address := server.Listener.Addr().String()
	b, err := NewBackend(address, caOf(t, server), token)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Verdict{
		"/healthz": OK, "/livez": Etcd, "/readyz": Unhealthy, "/redirect": Unhealthy, "/hang": Hung,
		"/unknown": Refused, "/forbidden": Refused,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if path != "/hang" {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
		}
		if got, err := b.Ask(ctx, path); got != want {
			t.Errorf("%s: got %s (%v), want %s", path, got, err, want)
		}
		cancel()
	}
}

func TestNobodyThereOrSomebodyElse(t *testing.T) {
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	ca := caOf(t, gone)
	gone.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, address := range map[string]string{
		"nobody": gone.Listener.Addr().String(), "a server without TLS": plain.Listener.Addr().String(),
	} {
		b, err := NewBackend(address, ca, token)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Ask(t.Context(), "/healthz"); got != Unreachable {
			t.Errorf("%s: got %s (%v)", name, got, err)
		}
	}
}

func TestTheWrongCA(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("it is told %q", r.Header.Get("Authorization"))
	}))
	defer server.Close()
	f := labFiles(t)
	b, err := NewBackend(server.Listener.Addr().String(), f.CA, token)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Ask(t.Context(), "/healthz"); got != Certificate {
		t.Errorf("got %s (%v)", got, err)
	}
}

func TestACAFileThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := NewBackend("127.0.0.1:1", path, token); err == nil {
		t.Error("a missing file is accepted")
	}
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewBackend("127.0.0.1:1", path, token); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

// labFiles makes the lab's files, whose certificate is for 127.0.0.1 too.
func labFiles(t *testing.T) pki.Files {
	t.Helper()
	f := pki.FilesIn(t.TempDir())
	if err := pki.Generate(f, pki.Spec{AdvertiseAddress: net.IPv4(192, 0, 2, 10), ServiceIP: net.IPv4(10, 32, 0, 1), ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestWhatIsAtTheOtherEndOfAKeptConnection asks an apiserver while its certificate,
// and the CA in the file, become others.
func TestWhatIsAtTheOtherEndOfAKeptConnection(t *testing.T) {
	own, next := labFiles(t), labFiles(t)
	pair := func(f pki.Files) tls.Certificate {
		p, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	trust := func(text string, files ...string) {
		data := []byte(text)
		for _, f := range files {
			pem, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, pem...)
		}
		if err := os.WriteFile(ca, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var shown atomic.Value
	shown.Store(pair(own))
	var handshakes atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	server.Listener = tls.NewListener(server.Listener, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		handshakes.Add(1)
		p := shown.Load().(tls.Certificate)
		return &p, nil
	}})
	server.Start()
	defer server.Close()
	trust("", own.CA)
	now := time.Now()
	b, err := newAPIServer(server.Listener.Addr().String(), ca, token, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	expires := shown.Load().(tls.Certificate).Leaf.NotAfter
	for _, step := range []struct {
		name       string
		change     func()
		passes     time.Duration
		want       Verdict
		handshakes int32 // in all
	}{
		{"at first", func() {}, 0, OK, 1},
		{"a second later", func() {}, time.Second, OK, 1},
		{"another certificate of the same CA", func() {}, reconnectAfter, OK, 2},
		{"another CA beside it", func() { trust("", own.CA, next.CA) }, reconnectAfter, OK, 3},
		{"a certificate of the other", func() { shown.Store(pair(next)) }, reconnectAfter, OK, 4},
		{"the former CA alone", func() { trust("", own.CA) }, reconnectAfter, Certificate, 5},
		{"no CA, and the former one's certificate", func() { trust("hello"); shown.Store(pair(own)) }, reconnectAfter, OK, 6},
		{"no file", func() { os.Remove(ca) }, reconnectAfter, OK, 7},
		{"expired meanwhile", func() {}, expires.Sub(now), Certificate, 8},
	} {
		step.change()
		now = now.Add(step.passes)
		got, err := b.Ask(t.Context(), "/healthz")
		if got != step.want {
			t.Errorf("%s: got %s (%v), want %s", step.name, got, err, step.want)
		}
		if n := handshakes.Load(); n != step.handshakes {
			t.Errorf("%s: %d handshakes, want %d", step.name, n, step.handshakes)
		}
	}
}
