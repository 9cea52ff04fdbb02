// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkPorts tries to listen where the components will, everywhere at once, but for
// addresses that are not to be tried.
func checkPorts(in input, tried func(plan.Listener) bool) []Finding {
	var found []Finding
	var listening []plan.Listener
	for _, p := range in.Listeners() {
		if !tried(p) {
			continue
		}
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

// checkAdvertised warns of an advertised address that this machine does not have, as
// one behind NAT has none.
func checkAdvertised(in input) []Finding {
	ip := in.Address.IP
	if ip.Equal(in.APIServer.SecureServing.BindAddress) {
		return nil // cannot be listened on without it
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil || slices.ContainsFunc(addresses, func(a net.Addr) bool {
		local, ok := a.(*net.IPNet)
		return ok && local.IP.Equal(ip)
	}) {
		return nil
	}
	return warning(in.Address.Source, fmt.Sprintf("%s is not an address of this machine: pods and other machines reach this apiserver there only if something forwards it to one", ip),
		"correct it, or bring up the interface that has it")
}

// samePort returns which of others has p's port.
func samePort(p plan.Listener, others []plan.Listener) (same plan.Listener, ok bool) {
	_, port, err := net.SplitHostPort(p.Value)
	if err != nil || port == "0" {
		return plan.Listener{}, false
	}
	for _, o := range others {
		if _, other, err := net.SplitHostPort(o.Value); err == nil && other == port {
			return o, true
		}
	}
	return plan.Listener{}, false
}

func explainPort(in input, p plan.Listener, err error, ours []plan.Listener) []Finding {
	same, isOurs := samePort(p, ours)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && isOurs:
		return failure(p.Value, "is wanted by "+same.Flag+" too", "move one of the two with "+p.Flag+" or "+same.Flag)
	case errors.Is(err, syscall.EADDRINUSE):
		by := holderOf(p.Value)
		if by.unit != "" && slices.Contains(in.InsteadOf, by.unit) {
			return nil
		}
		if by.systemd && in.BeforeRun {
			return warning(p.Value, "is listened on by systemd, for a socket unit", "run is handed the port if that unit is khw-controller's; else "+by.fix())
		}
		return failure(p.Value, "is taken"+by.String(), by.fix()+", or move the port with "+p.Flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return []Finding{{Wait, p.Value, "is not an address of this machine (" + p.AddressFlag + ")", "bring up the interface that has it, or correct the flag"}}
	case errors.Is(err, syscall.EACCES):
		return failure(p.Value, "needs the right to use ports below 1024", "run as root or with CAP_NET_BIND_SERVICE, or move the port with "+p.Flag)
	}
	return failure(p.Value, "cannot be listened on: "+oneLine(err.Error()), "correct "+p.Flag)
}
