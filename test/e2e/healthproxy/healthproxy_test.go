// SPDX-License-Identifier: Apache-2.0

// Package healthproxy asks for health as the lab's load balancers do, over plain
// HTTP, from the first second to the last.
package healthproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// answersWithin is what a load balancer is promised, whatever the apiserver does.
const answersWithin = 3 * time.Second

// answer is "200 ok", "503 starting" and so on, or an error when nobody listens.
func answer(c *harness.Controller, path string) (string, error) {
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", c.Ports.Health, path), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Host = "kubernetes.default.svc.cluster.local"
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if took := time.Since(begun); took > answersWithin {
		c.Errorf("%s took %s, want at most %s", path, took, answersWithin)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		c.Errorf("%s has Content-Type %q", path, got)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body), err
}

func mustAnswer(c *harness.Controller, path string, want ...string) {
	c.Helper()
	c.Eventually(path+" to answer "+strings.Join(want, " or "), func(context.Context) error {
		got, err := answer(c, path)
		for _, w := range want {
			if err == nil && got == w {
				return nil
			}
		}
		return fmt.Errorf("%q, %w", got, err)
	})
}

func TestHealthProxy(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 1)
	c.EtcdServers = etcd.URLs()
	c.Args = []string{"--shutdown-delay", "3s"}
	c.Start()
	mustAnswer(c, "/healthz", "503 starting")
	c.AwaitReady()
	for _, path := range []string{"/healthz", "/", "/livez", "/readyz"} {
		mustAnswer(c, path, "200 ok")
	}
	if got, err := answer(c, "/healthz/etcd"); got != "404 unknown" {
		t.Errorf("/healthz/etcd answers %q, %v", got, err)
	}
	answersUnderManyConnections(c)

	e.Must(etcd.Processes[0].Signal(syscall.SIGSTOP))
	mustAnswer(c, "/", "503 etcd", "503 hung")
	mustAnswer(c, "/readyz", "503 etcd", "503 hung")
	e.Must(etcd.Processes[0].Signal(syscall.SIGCONT))
	mustAnswer(c, "/", "200 ok")
	c.AwaitStatus("ready: ")

	e.Must(c.Process.Signal(syscall.SIGTERM))
	mustAnswer(c, "/healthz", "503 stopping")
	// The load balancer knows; those whom it sent here are still served.
	if _, err := c.Client().CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceDefault, metav1.GetOptions{}); err != nil {
		t.Errorf("the apiserver serves no more during --shutdown-delay: %v", err)
	}
	if code := c.Process.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

const (
	idleConnections = 9000 // that send half a request and wait
	busyConnections = 200  // that ask as fast as they can
)

// answersUnderManyConnections opens some 10,000 connections; health checks have to
// be answered all the same, and the apiserver asked at most twice a second.
func answersUnderManyConnections(c *harness.Controller) {
	c.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Ports.Health))
	ctx, cancel := context.WithCancel(c.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	probes, begun := probed(c), time.Now()
	for range busyConnections {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
				if err != nil {
					return
				}
				if resp, err := client.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		})
	}
	for range idleConnections {
		conn, err := net.Dial("tcp", address)
		c.Must(err)
		defer conn.Close()
		// It may be closed at once, which is the point.
		_, _ = io.WriteString(conn, "GET /heal")
	}
	for _, path := range []string{"/", "/healthz", "/livez", "/readyz"} {
		mustAnswer(c, path, "200 ok")
	}
	n, took := probed(c)-probes, time.Since(begun)
	c.Logf("%d questions reached the apiserver in %s", n, took)
	if most := 2*took.Seconds() + 2; float64(n) > most {
		c.Errorf("%d questions reached the apiserver in %s, want at most %.0f", n, took, most)
	}
}

// probed reads from the metrics how many questions were put to the apiserver.
func probed(c *harness.Controller) int {
	c.Helper()
	total := 0
	for _, line := range strings.Split(c.Kubectl("get", "--raw", "/metrics"), "\n") {
		if !strings.HasPrefix(line, "khw_healthz_probes_total{") {
			continue
		}
		n, err := strconv.Atoi(line[strings.LastIndex(line, " ")+1:])
		c.Must(err)
		total += n
	}
	if total == 0 {
		c.Fatal("/metrics has no khw_healthz_probes_total")
	}
	return total
}
