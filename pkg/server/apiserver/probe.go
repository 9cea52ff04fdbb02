// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	restclient "k8s.io/client-go/rest"
)

// prober asks the server's own /readyz over its loopback connection.
type prober struct {
	client *http.Client
	url    string
}

func newProber(loopback *restclient.Config) (*prober, error) {
	client, err := restclient.HTTPClientFor(loopback)
	if err != nil {
		return nil, err
	}
	return &prober{client: client, url: loopback.Host + "/readyz"}, nil
}

// Ready returns nil once /readyz says ok.
func (s *Server) Ready(ctx context.Context) error {
	p := s.loopback.Load()
	if p == nil {
		return errors.New("not serving yet")
	}
	return p.ask(ctx)
}

// Healthy returns nil while /readyz says ok.
func (s *Server) Healthy(ctx context.Context) error { return s.Ready(ctx) }

// maxAnswer bounds what is read of /readyz, in bytes; it lists its checks in
// about 2 KiB.
const maxAnswer = 64 << 10

func (p *prober) ask(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("/readyz did not answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode == http.StatusOK:
		return nil
	case err != nil:
		return err
	}
	return explain(resp.StatusCode, string(body))
}

// failedCheck matches a line such as "[-]etcd failed: reason withheld".
var failedCheck = regexp.MustCompile(`(?m)^\[-\](\S+) failed`)

func explain(status int, body string) error {
	var failed []string
	for _, m := range failedCheck.FindAllStringSubmatch(body, -1) {
		failed = append(failed, m[1])
	}
	if len(failed) == 0 {
		return fmt.Errorf("/readyz answers %d", status)
	}
	return fmt.Errorf("/readyz fails: %s", strings.Join(failed, ", "))
}
