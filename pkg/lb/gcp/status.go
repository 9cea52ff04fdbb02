// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Status is part of lb.Cloud.
func (c *Cloud) Status(ctx context.Context) (lb.Status, error) {
	targets, err := c.Health(ctx)
	if err != nil {
		return lb.Status{}, err
	}
	s := lb.Status{Where: c.Where(), Kind: c.backend.Kind(), Name: c.backend.Name(), Addresses: []string{}, Listeners: []lb.Listener{}, Targets: targets}
	if ip := c.Address(); ip != "" {
		s.Addresses = append(s.Addresses, ip)
	}
	if err := c.rule.get(ctx); err != nil {
		return lb.Status{}, c.Explain(err)
	}
	if c.rule.found != nil {
		s.Listeners = append(s.Listeners, c.listener(c.rule.found))
	}
	for _, other := range c.rule.others {
		if target(other) == c.backend.tail() {
			s.Listeners = append(s.Listeners, c.listener(other))
		}
	}
	return s, nil
}

// listener is one forwarding rule. It serves if it takes the controllers' port at
// their address to them; another address is not the one that clients were told.
func (c *Cloud) listener(rule *compute.ForwardingRule) lb.Listener {
	return lb.Listener{
		Protocol: rule.IPProtocol, Port: ports(rule), Target: target(rule),
		Serves: target(rule) == c.backend.tail() && rule.IPAddress == c.Address() && covers(rule, c.rule.cfg.Port),
	}
}
