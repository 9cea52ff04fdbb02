// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"net"
	"syscall"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkPorts tries to listen where the components will, everywhere at once.
func checkPorts(in input) []Finding {
	var found []Finding
	var listening []plan.Value
	for _, p := range in.Listeners() {
		l, err := net.Listen("tcp", p.Value)
		if err != nil {
			found = append(found, explainPort(in, p, err, listening)...)
			continue
		}
		defer l.Close()
		listening = append(listening, p)
	}
	return found
}

// samePort returns which of others has p's port.
func samePort(p plan.Value, others []plan.Value) (same plan.Value, ok bool) {
	_, port, err := net.SplitHostPort(p.Value)
	if err != nil || port == "0" {
		return plan.Value{}, false
	}
	for _, o := range others {
		if _, other, err := net.SplitHostPort(o.Value); err == nil && other == port {
			return o, true
		}
	}
	return plan.Value{}, false
}

func explainPort(in input, p plan.Value, err error, ours []plan.Value) []Finding {
	same, isOurs := samePort(p, ours)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && isOurs:
		return failure(p.Value, "is wanted by "+same.Flag+" too", "move one of the two with "+p.Flag+" or "+same.Flag)
	case errors.Is(err, syscall.EADDRINUSE):
		by := holderOf(p.Value)
		if by.systemd && in.BeforeRun {
			return warning(p.Value, "is listened on by systemd, for a socket unit", "run is handed the port if that unit is khw-controller's; else "+by.fix())
		}
		return failure(p.Value, "is taken"+by.String(), by.fix()+", or move the port with "+p.Flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return failure(p.Value, "is not an address of this machine", "correct "+p.Flag)
	case errors.Is(err, syscall.EACCES):
		return failure(p.Value, "needs the right to use ports below 1024", "run as root or with CAP_NET_BIND_SERVICE, or move the port with "+p.Flag)
	}
	return failure(p.Value, "cannot be listened on: "+oneLine(err.Error()), "correct "+p.Flag)
}
