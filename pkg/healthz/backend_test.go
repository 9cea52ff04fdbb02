// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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
	f := pki.FilesIn(t.TempDir())
	if err := pki.Generate(f, pki.Spec{AdvertiseAddress: net.IPv4(192, 0, 2, 10), ServiceIP: net.IPv4(10, 32, 0, 1), ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
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
