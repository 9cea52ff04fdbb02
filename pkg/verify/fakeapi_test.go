// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

// fakeAPI is the lab's files, and an apiserver that answers as told.
type fakeAPI struct {
	*testing.T
	files  pki.Files
	server *httptest.Server
	// answers are the JSON bodies by "METHOD path"; a missing one is a 404.
	answers map[string]any
	codes   map[string]int
	asked   []string
}

func files(t *testing.T, port int) pki.Files {
	t.Helper()
	f := pki.FilesIn(filepath.Join(t.TempDir(), "lab"))
	if err := pki.Generate(f, pki.Spec{AdvertiseAddress: net.IPv4(192, 0, 2, 10), ServiceIP: net.IPv4(10, 32, 0, 1), ServerPort: port}); err != nil {
		t.Fatal(err)
	}
	return f
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	w := &fakeAPI{T: t, files: files(t, l.Addr().(*net.TCPAddr).Port), answers: map[string]any{}, codes: map[string]int{}}
	w.server = serveTLS(t, l, w.files, http.HandlerFunc(w.answer))
	return w
}

// forget makes the apiserver know nothing, as a new one.
func (w *fakeAPI) forget() { w.answers, w.codes, w.asked = map[string]any{}, map[string]int{}, nil }

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serveTLS serves with the lab's certificate in f.
func serveTLS(t *testing.T, l net.Listener, f pki.Files, h http.Handler) *httptest.Server {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener, s.TLS = l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (w *fakeAPI) answer(rw http.ResponseWriter, r *http.Request) {
	key := r.Method + " " + r.URL.Path
	w.asked = append(w.asked, key)
	rw.Header().Set("Content-Type", "application/json")
	code, body := w.codes[key], w.answers[key]
	switch {
	case code == 0 && body == nil:
		code = http.StatusNotFound
	case code == 0:
		code = http.StatusOK
	}
	if body == nil {
		body = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reasons[code], "message": "as told"}
	}
	rw.WriteHeader(code)
	if err := json.NewEncoder(rw).Encode(body); err != nil {
		w.Error(err)
	}
}

var reasons = map[int]string{401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 500: "InternalError"}

// wants checks the problem of a result and what to do about it; "" wants it to pass.
func wants(t *testing.T, r checkResult, problem, next string) {
	t.Helper()
	if problem == "" {
		if len(r.failures) > 0 || r.skipped != "" || len(r.output) == 0 {
			t.Errorf("got %+v, want it to pass and to show something", r)
		}
		return
	}
	for _, f := range r.failures {
		if strings.Contains(f.Problem, problem) && strings.Contains(f.Next, next) {
			if strings.Contains(f.Problem+f.Next, "\n") {
				t.Errorf("%q is not one line", f)
			}
			return
		}
	}
	t.Errorf("got %+v, want %q with %q", r, problem, next)
}
