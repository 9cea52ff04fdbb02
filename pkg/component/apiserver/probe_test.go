// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// readyz answers as the apiserver's /readyz does, and remembers what was asked.
type readyz struct {
	failed []string
	asked  []string
}

func (r *readyz) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.asked = append(r.asked, req.URL.Path)
	check := strings.TrimPrefix(strings.TrimPrefix(req.URL.Path, "/readyz"), "/")
	switch {
	case check == "" && len(r.failed) == 0, check != "" && !slices.Contains(r.failed, check):
		return
	case check != "":
		http.Error(w, "internal server error: not finished", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusInternalServerError)
	body := "[+]ping ok\n"
	for _, f := range r.failed {
		body += "[-]" + f + " failed: reason withheld\n"
	}
	fmt.Fprint(w, body+"readyz check failed\n")
}

func TestProbe(t *testing.T) {
	server := &readyz{failed: []string{"etcd", "poststarthook/rbac/bootstrap-roles"}}
	ts := httptest.NewServer(server)
	defer ts.Close()
	p := &prober{client: ts.Client(), host: ts.URL}
	for _, step := range []struct {
		failed []string
		want   string
		asked  []string
	}{
		{server.failed, "/readyz fails: etcd, poststarthook/rbac/bootstrap-roles", []string{"/readyz"}},
		{server.failed, "/readyz fails: etcd", []string{"/readyz/etcd"}},
		{server.failed[1:], "/readyz fails: poststarthook/rbac/bootstrap-roles", []string{"/readyz/etcd", "/readyz"}},
		{nil, "", []string{"/readyz/poststarthook/rbac/bootstrap-roles", "/readyz"}},
		{nil, "", []string{"/readyz"}},
	} {
		server.failed, server.asked = step.failed, nil
		got := ""
		if err := p.ask(context.Background()); err != nil {
			got = err.Error()
		}
		if got != step.want || !slices.Equal(server.asked, step.asked) {
			t.Errorf("got %q after asking %v, want %q after %v", got, server.asked, step.want, step.asked)
		}
	}
}

func TestProbeOfAnythingElse(t *testing.T) {
	ts := httptest.NewServer(http.NotFoundHandler())
	p := &prober{client: ts.Client(), host: ts.URL}
	if err := p.ask(context.Background()); err == nil || err.Error() != "/readyz answers 404" {
		t.Errorf("a 404: %v", err)
	}
	ts.Close()
	if err := p.ask(context.Background()); err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestAliveAsksForAnAnswerOnly(t *testing.T) {
	asked := make(chan string, 1)
	status := http.StatusOK
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked <- req.URL.Path
		w.WriteHeader(status)
	}))
	s := New(nil, Etcd{})
	if err := s.Alive(context.Background()); !errors.Is(err, errNotServing) {
		t.Errorf("before it serves: %v", err)
	}
	s.prober.Store(&prober{client: ts.Client(), host: ts.URL})
	if err := s.Alive(context.Background()); err != nil {
		t.Error(err)
	}
	if path := <-asked; path != "/livez/ping" {
		t.Errorf("asked for %s", path)
	}
	status = http.StatusTooManyRequests
	if err := s.Alive(context.Background()); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("a 429: %v", err)
	}
	<-asked
	ts.Close()
	if err := s.Alive(context.Background()); err == nil || !strings.Contains(err.Error(), "/livez/ping did not answer") {
		t.Errorf("nobody there: %v", err)
	}
}
