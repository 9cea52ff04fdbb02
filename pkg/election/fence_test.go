// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func send(t *testing.T, client *http.Client, method, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestFenceLetsWritesPassOnlyWhileTheLeaseIsHeld(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	tests := map[string]struct {
		prepare func(*Fence)
		open    bool
	}{
		"never won":                          {func(*Fence) {}, false},
		"just renewed":                       {func(f *Fence) { f.Renewed(time.Now()) }, true},
		"renewed long ago, as after a pause": {func(f *Fence) { f.Renewed(time.Now().Add(-2 * time.Minute)) }, false},
		"closed":                             {func(f *Fence) { f.Renewed(time.Now()); f.Close() }, false},
		"closed, then a late renewal":        {func(f *Fence) { f.Close(); f.Renewed(time.Now()) }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := NewFence(time.Minute)
			test.prepare(f)
			client := &http.Client{Transport: f.Wrap(http.DefaultTransport)}
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				err := send(t, client, method, server.URL)
				if test.open && err != nil || !test.open && !errors.Is(err, ErrNotLeading) {
					t.Errorf("%s: got %v", method, err)
				}
			}
			if err := send(t, client, http.MethodGet, server.URL); err != nil {
				t.Errorf("a read was refused: %v", err)
			}
		})
	}
}

func TestCloseCutsOffWritesInFlight(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	f := NewFence(time.Minute)
	f.Renewed(time.Now())
	client := &http.Client{Transport: f.Wrap(http.DefaultTransport)}
	result := make(chan error, 1)
	go func() { result <- send(t, client, http.MethodPost, server.URL) }()
	<-arrived
	f.Close()
	select {
	case err := <-result:
		if err == nil {
			t.Error("the write went through")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the write is still in flight")
	}
}

func TestAwaitShut(t *testing.T) {
	f := NewFence(20 * time.Millisecond)
	f.Renewed(time.Now())
	f.AwaitShut(context.Background())
	if f.Open() {
		t.Error("returned while open")
	}
	f = NewFence(time.Hour)
	f.Renewed(time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.AwaitShut(ctx)
	if !f.Open() {
		t.Error("a context's end shut the fence")
	}
}

func TestAwaitShutNoticesAClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFence(time.Hour)
		began := time.Now()
		f.Renewed(began)
		took := make(chan time.Duration)
		go func() {
			f.AwaitShut(t.Context())
			took <- time.Since(began)
		}()
		synctest.Wait()
		f.Close()
		if d := <-took; d != 0 {
			t.Errorf("it took %s", d)
		}
	})
}
