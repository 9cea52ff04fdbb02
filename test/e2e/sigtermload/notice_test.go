// SPDX-License-Identifier: Apache-2.0

package sigtermload

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

const (
	// checkEvery and unhealthyThreshold are a load balancer's; the threshold is what
	// the controller takes it for.
	checkEvery         = 2 * time.Second
	unhealthyThreshold = 2
	// enoughServed requests in the stop show that it is one under load.
	enoughServed = 5
)

// TestNobodyNoticesAStop has a load balancer, which checks health and never tries
// again, send requests through a stop of which the controller's configuration says
// nothing.
func TestNobodyNoticesAStop(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady()
	b := startBalancer(c)
	e.Eventually("the controller to know its checker", func(context.Context) error {
		if out := status(c); !strings.Contains(out, "for 1 checker") {
			return fmt.Errorf("status says %s", out)
		}
		return nil
	})
	watch := startWatch(c)
	client := c.Client()

	b.stopping.Store(true)
	e.Must(c.Process.Signal(syscall.SIGTERM))
	c.AwaitStatus("for 1 health checker to notice")
	// Everybody else knows at once.
	if err := cluster.Readyz(e.Context(), client); err == nil {
		t.Error("/readyz says ok in a stop")
	}
	e.Eventually("the leases to be given back", func(ctx context.Context) error {
		for _, lease := range cluster.Leases() {
			l, err := client.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, lease, metav1.GetOptions{})
			if err != nil && !process.Listening(c.Ports.APIServer) {
				return nil // too late to look
			}
			if err != nil {
				return err
			}
			if holder := l.Spec.HolderIdentity; holder != nil && *holder != "" {
				return fmt.Errorf("%s is held by %s", lease, *holder)
			}
		}
		return nil
	})
	if code := c.Process.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	select {
	case <-b.inactive:
	default:
		t.Error("the load balancer has not noticed")
	}
	b.stop()
	watch.wg.Wait()
	for _, failed := range b.failed() {
		t.Error(failed)
	}
	for kind, n := range map[string]*atomic.Int64{"kept HTTP/1.1": &b.http1, "kept HTTP/2": &b.http2, "new": &b.fresh} {
		if n.Load() < enoughServed {
			t.Errorf("%d requests on %s connections were served in the stop, want %d", n.Load(), kind, enoughServed)
		}
	}
	if watch.err != nil {
		t.Errorf("the watch ends with %v", watch.err)
	}
	if watch.ended.Before(b.out) {
		t.Errorf("the watch ended %s before the load balancer had noticed", b.out.Sub(watch.ended))
	}
	logs(c, "Stopping; health checks say no, and everything is still served", "1 health checker to notice")

	c.StartReady()
	c.StopInOrder()
	logs(c, "Stopping at once", "nobody who has checked health")
}

func status(c *harness.Controller) string {
	out, _ := exec.CommandContext(c.Context(), c.Binary(), "status", "--root", c.Root).CombinedOutput()
	return string(out)
}

// logs wants a line of the log that has all these texts.
func logs(c *harness.Controller, texts ...string) {
	c.Helper()
	for _, line := range c.Process.Lines() {
		has := 0
		for _, text := range texts {
			if strings.Contains(line, text) {
				has++
			}
		}
		if has == len(texts) {
			return
		}
	}
	c.Errorf("no line of the log has %q", texts)
}

// balancer sends requests to a controller until its health checks have failed often
// enough: on kept connections, which it opens again when it is told to, and on new
// ones. What fails has failed.
type balancer struct {
	c        *harness.Controller
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	inactive chan struct{} // closed when it sends nobody any more
	out      time.Time     // when that was
	stopping atomic.Bool
	// Requests that were served in the stop.
	http1, http2, fresh atomic.Int64

	mu       sync.Mutex
	failures []string
}

func startBalancer(c *harness.Controller) *balancer {
	c.Helper()
	config, err := cluster.Config(c.Lab("admin.kubeconfig"))
	c.Must(err)
	tls, err := restclient.TLSConfigFor(config)
	c.Must(err)
	ctx, cancel := context.WithCancel(c.Context())
	b := &balancer{c: c, cancel: cancel, inactive: make(chan struct{})}
	c.Cleanup(b.stop)
	url := config.Host + "/apis/authentication.k8s.io/v1/selfsubjectreviews"
	for kind, served := range map[string]*atomic.Int64{"HTTP/1.1": &b.http1, "HTTP/2.0": &b.http2, "": &b.fresh} {
		transport := &http.Transport{TLSClientConfig: tls.Clone(), ForceAttemptHTTP2: kind != "HTTP/1.1", DisableKeepAlives: kind == ""}
		b.wg.Go(func() {
			defer transport.CloseIdleConnections()
			b.send(ctx, transport, url, kind, served)
		})
	}
	b.wg.Go(func() { b.check(ctx) })
	return b
}

// pause is that between two requests of one client.
const pause = 10 * time.Millisecond

// send sends one request after the other. They are POSTs, which no transport sends
// again once they are on their way.
func (b *balancer) send(ctx context.Context, transport *http.Transport, url, proto string, served *atomic.Int64) {
	const review = `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}`
	for {
		select {
		case <-b.inactive:
			return
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		stopping := b.stopping.Load()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(review))
		if err != nil {
			b.fail("%v", err)
			return
		}
		if proto == "HTTP/1.1" {
			req.GetBody = nil // with it, a request is sent again
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			if ctx.Err() == nil {
				b.fail("%s: %v", proto, err)
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			b.fail("%s: %v", proto, err)
		case resp.StatusCode != http.StatusCreated:
			b.fail("%s: %s: %.200s", proto, resp.Status, body)
		case proto != "" && resp.Proto != proto:
			b.fail("%s is spoken, not %s", resp.Proto, proto)
		case stopping:
			served.Add(1)
		}
	}
}

// check checks health until that has failed often enough.
func (b *balancer) check(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for failed := 0; failed < unhealthyThreshold; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		failed++
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz", b.c.Ports.Health), http.NoBody)
		if err != nil {
			b.fail("%v", err)
			return
		}
		req.Header.Set("User-Agent", "GoogleHC/1.0")
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			if ctx.Err() == nil {
				b.fail("a health check: %v", err)
			}
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			failed = 0
		}
	}
	b.out = time.Now()
	close(b.inactive)
}

func (b *balancer) fail(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, fmt.Sprintf(format, args...))
}

func (b *balancer) failed() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures
}

func (b *balancer) stop() {
	b.cancel()
	b.wg.Wait()
}

// openWatch is a watch that the server ends.
type openWatch struct {
	wg    sync.WaitGroup
	ended time.Time
	err   error
}

func startWatch(c *harness.Controller) *openWatch {
	c.Helper()
	stream, err := c.Client().CoreV1().RESTClient().Get().Namespace(metav1.NamespaceDefault).Resource("configmaps").
		VersionedParams(&metav1.ListOptions{Watch: true}, scheme.ParameterCodec).Stream(c.Context())
	c.Must(err)
	w := &openWatch{}
	w.wg.Go(func() {
		defer stream.Close()
		_, w.err = io.Copy(io.Discard, stream)
		w.ended = time.Now()
	})
	return w
}
