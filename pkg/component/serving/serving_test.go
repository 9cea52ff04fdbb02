// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"
)

func TestHandlerCanBeReplaced(t *testing.T) {
	h := &Handler{}
	ask := func() (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		return w.Code, w.Body.String()
	}
	if code, _ := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("before Set: %d", code)
	}
	for _, want := range []string{"first", "second"} {
		h.Set(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, want) }))
		if code, got := ask(); code != http.StatusOK || got != want {
			t.Errorf("got %d %q, want %q", code, got, want)
		}
	}
}

func TestStopAnswersWhatIsInFlight(t *testing.T) {
	cert, key, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := dynamiccertificates.NewStaticCertKeyContent("test", cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var answered atomic.Bool
	arrived, release := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	wait, err := Start(ctx, &genericapiserver.SecureServingInfo{Listener: l, Cert: content, DisableHTTP2: true},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-release
			time.Sleep(50 * time.Millisecond) // it is slow
			answered.Store(true)
			fmt.Fprint(w, "done")
		}))
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		resp, err := client.Get("https://" + l.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			answer <- err.Error()
			return
		}
		answer <- string(body)
	}()
	<-arrived
	stop()
	close(release)
	wait()
	if !answered.Load() {
		t.Error("the stop did not wait for the request in flight")
	}
	if got := <-answer; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestNoPort(t *testing.T) {
	wait, err := Start(t.Context(), nil, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	wait()
}
