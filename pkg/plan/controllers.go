// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/khw-controller/khw-controller/pkg/controllers"
)

// findSelf reads --controllers, and finds this machine in it.
func (p *Plan) findSelf() (err error) {
	if len(p.Config.Controllers) == 0 {
		return nil
	}
	if p.Controllers, err = controllers.Parse(p.Config.Controllers); err != nil {
		return fmt.Errorf("--controllers: %w", err)
	}
	hostname, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("--controllers: %w", err)
	}
	addresses, err := localAddresses()
	if err != nil {
		return fmt.Errorf("--controllers: %w", err)
	}
	if p.Self, err = p.Controllers.Self(addresses, hostname); err != nil {
		return fmt.Errorf("--controllers: %w", err)
	}
	return nil
}

// IsCluster reports whether there are other controllers, so that nothing may be
// made here that all of them have to share.
func (p *Plan) IsCluster() bool { return len(p.Controllers) > 1 }

func localAddresses() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, a := range found {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all, nil
}
