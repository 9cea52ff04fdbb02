// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net"
	"time"

	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// healthProxy is the Runner of the plain-HTTP health proxy.
type healthProxy struct {
	listen   func() (net.Listener, error)
	backend  string // the apiserver's, host:port
	caFile   string
	token    string // as whom the apiserver is asked
	notReady func() healthz.Verdict
	grace    time.Duration // as of a Prober
	checkers *healthz.Checkers
}

func newHealthProxy(p *plan.Plan, token string, notReady func() healthz.Verdict, checkers *healthz.Checkers) *healthProxy {
	return &healthProxy{
		listen:   func() (net.Listener, error) { return listenForHealthChecks(p) },
		backend:  p.APIServerAddress(),
		caFile:   p.ClientCA.Path,
		token:    token,
		notReady: notReady,
		grace:    p.HealthGrace,
		checkers: checkers,
	}
}

// Run answers health checks from the first second until ctx ends, which is when
// everything else has stopped.
func (h *healthProxy) Run(ctx context.Context, report supervisor.Report) error {
	l, err := h.listen()
	if err != nil {
		return err
	}
	backend, err := healthz.NewBackend(h.backend, h.caFile, h.token)
	if err != nil {
		l.Close()
		return err
	}
	report(supervisor.Running, "")
	proxy := &healthz.Proxy{NotReady: h.notReady, Prober: healthz.NewProber(backend, h.grace), Checkers: h.checkers}
	return proxy.Serve(ctx, l)
}

// listenForHealthChecks listens where health checks come in: on systemd's socket,
// if there is one, for which --healthz-bind-address does not count.
func listenForHealthChecks(p *plan.Plan) (net.Listener, error) {
	if p.HealthSocket != nil {
		return p.HealthSocket.Listen()
	}
	return net.Listen("tcp", p.Config.HealthzBindAddress)
}
