// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serveAt serves a report at path until the test is over.
func serveAt(t *testing.T, path string) {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(l, func(context.Context) *Report { return &Report{Node: "n", Status: Ready} }) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func mustAnswer(t *testing.T, path string) {
	t.Helper()
	r, err := AskSocket(t.Context(), path)
	if err != nil || r.Node != "n" || r.Status != Ready {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestSocketIsForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run/khw-controller.sock")
	serveAt(t, path)
	mustAnswer(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
}

func TestSocketLeftBehindIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as after a kill
	l.Close()
	serveAt(t, path)
	mustAnswer(t, path)
}

func TestSocketsOfAnyDepth(t *testing.T) {
	for _, length := range []int{106, 107, 108, 109, 200, 1000} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			for len(path) < length {
				// No name in it is longer than 100 bytes, and none is empty.
				n := min(length-len(path)-1, 100)
				if length-len(path)-1-n == 1 {
					n--
				}
				path = filepath.Join(filepath.Dir(path), strings.Repeat("d", max(n, 1)), "s")
			}
			for range 2 {
				l, err := Listen(path)
				if err != nil {
					t.Fatal(err)
				}
				go func() { _ = Serve(l, func(context.Context) *Report { return &Report{Node: "n", Status: Ready} }) }()
				mustAnswer(t, path)
				if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
					t.Errorf("the socket: %v, %v", info, err)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket is left: %v", err)
				}
				if _, err := AskSocket(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("asking where nobody listens: %v", err)
				}
			}
			if len(path) < length {
				t.Errorf("the path has %d bytes, want at least %d", len(path), length)
			}
		})
	}
}

func TestLinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "khw-controller.sock")
	if err := os.Symlink("own/khw-controller.sock", link); err != nil {
		t.Fatal(err)
	}
	serveAt(t, link)
	mustAnswer(t, link)
	if _, err := os.Stat(filepath.Join(dir, "own/khw-controller.sock")); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoSocketStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("got %v, want an error that names the file and the fix", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func TestAskSaysWhatIsWrong(t *testing.T) {
	for says, handler := range map[string]http.HandlerFunc{
		"not run by khw-controller": http.NotFound,
		"403 Forbidden":             func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"reading its report":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		server := httptest.NewServer(handler)
		if _, err := Ask(t.Context(), server.Client(), server.URL+Path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
		server.Close()
	}
}

func TestHandlerOnlyReads(t *testing.T) {
	h := Handler(func(context.Context) *Report { return &Report{} })
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, Path, http.NoBody))
		if w.Code != want {
			t.Errorf("%s is answered with %d, want %d", method, w.Code, want)
		}
	}
}
