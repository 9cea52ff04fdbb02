// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net"
	"strconv"

	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// healthProxyName is the health proxy's name among the components.
const healthProxyName = "health-proxy"

// healthProxy is the Runner of the plain-HTTP health proxy.
type healthProxy struct {
	listen  func() (net.Listener, error)
	backend string // the apiserver's, host:port
	caFile  string
	held    func() healthz.Verdict
}

// Run answers health checks from the first second until ctx ends, which is when
// everything else has stopped.
func (h *healthProxy) Run(ctx context.Context, report supervisor.Report) error {
	l, err := h.listen()
	if err != nil {
		return err
	}
	backend, err := healthz.NewBackend(h.backend, h.caFile)
	if err != nil {
		l.Close()
		return err
	}
	report(supervisor.Running, "")
	proxy := &healthz.Proxy{NotReady: h.held, Prober: healthz.NewProber(backend)}
	return proxy.Serve(ctx, l)
}

// listenForHealthChecks listens where health checks come in: on systemd's socket,
// if there is one, for which --healthz-bind-address does not count.
func (p *Plan) listenForHealthChecks() (net.Listener, error) {
	if p.HealthSocket != nil {
		return p.HealthSocket.Listen()
	}
	return net.Listen("tcp", p.Config.HealthzBindAddress)
}

// HealthAddress is where a client on this machine asks for health, host:port, or
// "" where nobody answers.
func (p *Plan) HealthAddress() string {
	switch {
	case p.Config.HealthzBindAddress == "":
		return ""
	case p.HealthSocket != nil:
		return reachable(p.HealthSocket.Address().String())
	}
	return reachable(p.Config.HealthzBindAddress)
}

// backendAddress is where the health proxy reaches the apiserver.
func (p *Plan) backendAddress() string {
	serving := p.apiServer.SecureServing
	return reachable(net.JoinHostPort(serving.BindAddress.String(), strconv.Itoa(serving.BindPort)))
}
