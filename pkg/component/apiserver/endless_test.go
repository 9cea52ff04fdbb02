// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bufio"
	"context"
	"errors"
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

// TestRequestsThatDoNotEndAreCutOff follows a log, and has something that is to come to
// its end under way, when the server ends.
func TestRequestsThatDoNotEndAreCutOff(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			answer := make(chan struct{})
			d := newDrain()
			c := &genericapiserver.Config{
				NonLongRunningRequestWaitGroup: new(waitgroup.SafeWaitGroup),
				LongRunningFunc:                filters.BasicLongRunningRequestCheck(sets.NewString("watch"), sets.NewString("log")),
				BuildHandlerChainFunc: func(h http.Handler, _ *genericapiserver.Config) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						verb, subresource, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
						info := &request.RequestInfo{IsResourceRequest: true, Verb: verb, Subresource: subresource}
						h.ServeHTTP(w, r.WithContext(request.WithRequestInfo(r.Context(), info)))
					})
				},
			}
			if err := d.install(c); err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(c.BuildHandlerChainFunc(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintln(w, "first")
				w.(http.Flusher).Flush()
				select {
				case <-answer:
				case <-r.Context().Done():
				}
			}), c))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			open := func(path string) *bufio.Reader {
				t.Helper()
				resp, err := server.Client().Get(server.URL + path)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { resp.Body.Close() })
				r := bufio.NewReader(resp.Body)
				if line, err := r.ReadString('\n'); err != nil || line != "first\n" {
					t.Fatalf("%s: %q, %v", path, line, err)
				}
				return r
			}
			log, list, watch := open("/get/log"), open("/list/"), open("/watch/")

			d.endless.cut()
			if rest, err := io.ReadAll(log); err == nil {
				t.Errorf("the log ends with %q as if it were complete", rest)
			}
			close(answer)
			for what, r := range map[string]*bufio.Reader{"list": list, "watch": watch} {
				if _, err := io.ReadAll(r); err != nil {
					t.Errorf("the %s is cut off: %v", what, err)
				}
			}
			resp, err := server.Client().Get(server.URL + "/get/log")
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				t.Error("a log that is followed later is not cut off")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := server.Config.Shutdown(ctx); err != nil {
				t.Errorf("connections stay open: %v", err)
			}
		})
	}
}

func TestARequestThatEndsIsForgotten(t *testing.T) {
	var e endless
	ctx, end := e.begin(httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if end() {
		t.Error("it was cut off")
	}
	if !errors.Is(ctx.Err(), context.Canceled) || len(e.requests) != 0 {
		t.Errorf("its context: %v, %d requests are known", ctx.Err(), len(e.requests))
	}
}
