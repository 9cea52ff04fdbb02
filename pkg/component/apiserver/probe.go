// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	restclient "k8s.io/client-go/rest"
)

// prober asks the server how it is over its own loopback connection.
type prober struct {
	client *http.Client
	host   string // with its scheme

	mu sync.Mutex
	// awaited is the check that failed last. It is asked alone until it passes:
	// the server logs three lines for every /readyz that fails as a whole.
	awaited string
}

func newProber(loopback *restclient.Config) (*prober, error) {
	client, err := restclient.HTTPClientFor(loopback)
	if err != nil {
		return nil, err
	}
	return &prober{client: client, host: loopback.Host}, nil
}

// readyzPath is what is asked: whether the server is ready, whether it takes leave or not.
const readyzPath = "/readyz?exclude=" + drainCheck

// Ready returns nil once /readyz says ok.
func (s *Server) Ready(ctx context.Context) error {
	p := s.prober.Load()
	if p == nil {
		return errNotServing
	}
	return p.ask(ctx)
}

// Healthy returns nil while /readyz says ok.
func (s *Server) Healthy(ctx context.Context) error { return s.Ready(ctx) }

// Alive returns nil when the server answers at all. Nothing else is asked for:
// neither etcd nor what the server knows about itself.
func (s *Server) Alive(ctx context.Context) error {
	p := s.prober.Load()
	if p == nil {
		return errNotServing
	}
	status, _, err := p.get(ctx, "/livez/ping")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("/livez/ping answers %d", status)
	}
	return err
}

// maxAnswer bounds what is read of /readyz, in bytes; it lists its checks in
// about 2 KiB.
const maxAnswer = 64 << 10

func (p *prober) ask(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.awaited != "" {
		if status, _, err := p.get(ctx, "/readyz/"+p.awaited); err != nil {
			return err
		} else if status == http.StatusInternalServerError {
			return notReady(p.awaited)
		}
		p.awaited = ""
	}
	status, body, err := p.get(ctx, readyzPath)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK:
		return nil
	}
	failed := failedChecks(body)
	if len(failed) == 0 {
		return fmt.Errorf("/readyz answers %d", status)
	}
	p.awaited = failed[0]
	return notReady(failed...)
}

// get returns the answer to a GET; no answer is an error.
func (p *prober) get(ctx context.Context, path string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.host+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%s did not answer: %w", path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, string(data), err
}

func notReady(checks ...string) error {
	return fmt.Errorf("/readyz fails: %s", strings.Join(checks, ", "))
}

// failedCheck matches a line such as "[-]etcd failed: reason withheld".
var failedCheck = regexp.MustCompile(`(?m)^\[-\](\S+) failed`)

// failedChecks returns the names of the checks that an answer of /readyz calls
// failed.
func failedChecks(body string) []string {
	var failed []string
	for _, m := range failedCheck.FindAllStringSubmatch(body, -1) {
		failed = append(failed, m[1])
	}
	return failed
}
