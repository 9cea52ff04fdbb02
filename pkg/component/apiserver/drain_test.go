// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/util/waitgroup"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// counted is a chain of filters that does no more than to count requests, as
// upstream's filter for that does.
func counted(h http.Handler, c *genericapiserver.Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.NonLongRunningRequestWaitGroup.Add(1); err != nil {
			http.Error(w, "apiserver is shutting down", http.StatusServiceUnavailable)
			return
		}
		defer c.NonLongRunningRequestWaitGroup.Done()
		h.ServeHTTP(w, r)
	})
}

// drainOf returns a drain in front of h.
func drainOf(t *testing.T, h http.HandlerFunc) (*drain, *genericapiserver.Config, http.Handler) {
	t.Helper()
	d := newDrain()
	c := &genericapiserver.Config{BuildHandlerChainFunc: counted, NonLongRunningRequestWaitGroup: new(waitgroup.SafeWaitGroup)}
	if err := d.install(c); err != nil {
		t.Fatal(err)
	}
	return d, c, c.BuildHandlerChainFunc(h, c)
}

// TestADrainServesEverybodyAndSendsThemAway keeps a connection of each protocol
// through the beginning of a drain.
func TestADrainServesEverybodyAndSendsThemAway(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			d, c, h := drainOf(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
			server := httptest.NewUnstartedServer(h)
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			get := func() (from string, proto int) {
				t.Helper()
				resp, err := server.Client().Get(server.URL)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				var body [100]byte
				n, _ := resp.Body.Read(body[:])
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s %s", resp.Status, body[:n])
				}
				for { // to the end, for the connection to be kept
					if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
						break
					}
				}
				return string(body[:n]), resp.ProtoMajor
			}
			first, proto := get()
			if again, _ := get(); again != first || (proto == 2) != http2 {
				t.Fatalf("HTTP/%d, on connections %s and %s", proto, first, again)
			}
			d.begun.Store(true)
			// What the server does when it is told to stop: from now on it refuses.
			go c.NonLongRunningRequestWaitGroup.Wait()
			if told, _ := get(); told != first {
				t.Errorf("the connection was given up before it was told to go")
			}
			if next, _ := get(); next == first {
				t.Errorf("the connection is used although it was told to go")
			}
		})
	}
}

func TestTheCheckFailsInADrain(t *testing.T) {
	d := newDrain()
	if err := d.check().Check(nil); err != nil {
		t.Error(err)
	}
	d.begun.Store(true)
	if d.check().Check(nil) == nil {
		t.Error("/readyz says ok in a drain")
	}
}

// TestTheServerWaitsForLateRequests has a request come when the port is closed.
func TestTheServerWaitsForLateRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c, h := drainOf(t, func(http.ResponseWriter, *http.Request) { time.Sleep(5 * time.Second) })
		ctx, cancel := context.WithCancel(t.Context())
		drained := make(chan struct{})
		go d.end(ctx, drained)
		d.begun.Store(true)
		var ended atomic.Bool
		go func() {
			c.NonLongRunningRequestWaitGroup.Wait()
			ended.Store(true)
			close(drained)
		}()
		cancel()
		time.Sleep(time.Minute)
		synctest.Wait()
		if ended.Load() {
			t.Fatal("the server ends with its port open")
		}
		if err := d.listener(unopened{}).Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lateFor / 2)
		answered := httptest.NewRecorder()
		h.ServeHTTP(answered, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		if answered.Code != http.StatusOK {
			t.Errorf("a late request is answered with %d", answered.Code)
		}
		synctest.Wait()
		if !ended.Load() {
			t.Error("the server does not end")
		}
	})
}

// unopened is a listener to close.
type unopened struct{ net.Listener }

func (unopened) Close() error { return nil }
