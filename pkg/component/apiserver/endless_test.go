// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/waitgroup"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/filters"
)

// informed is a chain of filters that only knows what is requested: /VERB/SUBRESOURCE.
func informed(h http.Handler, _ *genericapiserver.Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verb, subresource, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		info := &request.RequestInfo{IsResourceRequest: true, Verb: verb, Subresource: subresource}
		h.ServeHTTP(w, r.WithContext(request.WithRequestInfo(r.Context(), info)))
	})
}

// TestRequestsThatDoNotEndAreCutOff has a log followed, and a watch, when a server shuts
// down.
func TestRequestsThatDoNotEndAreCutOff(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			d := newDrain()
			c := &genericapiserver.Config{
				BuildHandlerChainFunc:          informed,
				NonLongRunningRequestWaitGroup: new(waitgroup.SafeWaitGroup),
				LongRunningFunc:                filters.BasicLongRunningRequestCheck(sets.NewString("watch"), sets.NewString("log")),
			}
			if err := d.install(c); err != nil {
				t.Fatal(err)
			}
			endWatches := make(chan struct{})
			server := httptest.NewUnstartedServer(c.BuildHandlerChainFunc(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintln(w, "first")
				w.(http.Flusher).Flush()
				switch r.URL.Path {
				case "/get/log":
					<-r.Context().Done()
				case "/watch/":
					<-endWatches
				}
			}), c))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			begun := func(path string) io.Reader {
				t.Helper()
				resp, err := server.Client().Get(server.URL + path)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { resp.Body.Close() })
				r := bufio.NewReader(resp.Body)
				if line, err := r.ReadString('\n'); err != nil {
					t.Fatalf("%s: %q, %v", path, line, err)
				}
				return r
			}
			if rest, err := io.ReadAll(begun("/list/")); err != nil || len(rest) != 0 {
				t.Fatalf("the list: %q, %v", rest, err)
			}
			log, watch := begun("/get/log"), begun("/watch/")
			if known := d.endless.all(); len(known) != 1 || known[0].URL.Path != "/get/log" {
				t.Fatalf("%d requests are known not to end, want the log", len(known))
			}

			shut := make(chan error)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				shut <- server.Config.Shutdown(ctx)
			}()
			close(endWatches)
			if _, err := io.ReadAll(watch); err != nil {
				t.Errorf("the watch is cut off: %v", err)
			}
			patience := make(chan time.Time)
			cut := make(chan struct{})
			go func() { defer close(cut); d.endless.cut(patience) }()
			patience <- time.Now()
			<-cut
			if err := <-shut; err != nil {
				t.Errorf("connections stay open: %v", err)
			}
			rest, err := io.ReadAll(log)
			if err == nil {
				t.Errorf("the log ends with %q as if it were complete", rest)
			}
			if http2 && err != nil && !strings.Contains(err.Error(), "GOAWAY") {
				t.Errorf("the log ends with %q, which does not say that the server went", err)
			}
		})
	}
}

// TestNobodyIsWaitedFor has no request that goes on.
func TestNobodyIsWaitedFor(*testing.T) {
	var e endless
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	e.add(r)
	e.remove(r)
	e.cut(nil) // which would be for ever
}
