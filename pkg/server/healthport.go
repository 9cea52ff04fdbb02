// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/khw-controller/khw-controller/pkg/status"
)

// portTimeout is what the health port may take to answer; it promises 3 s.
const portTimeout = 3 * time.Second

// noAnswer is what a health port says that cannot be asked.
const noAnswer = "nothing"

// healthPort asks the health port at address as a load balancer would; nil where
// there is none.
func healthPort(ctx context.Context, address string) *status.HealthPort {
	if address == "" {
		return nil
	}
	out := &status.HealthPort{Address: address, Answer: noAnswer}
	ctx, cancel := context.WithTimeout(ctx, portTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", http.NoBody)
	if err != nil {
		return out
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return out
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(io.LimitReader(resp.Body, 64)); err == nil {
		out.Answer = string(answer)
	}
	return out
}
