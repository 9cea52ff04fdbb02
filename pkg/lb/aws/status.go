// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Health is part of lb.Cloud.
func (c *Cloud) Health(ctx context.Context) ([]lb.InstanceHealth, error) {
	reported, err := c.pool.health(ctx)
	if err == nil {
		err = c.controllers.lookUp(ctx, sortedKeys(reported))
	}
	if err != nil {
		return nil, c.Explain(err)
	}
	var all []lb.InstanceHealth
	ours := map[string]bool{}
	for _, name := range c.controllers.names {
		h := c.controllerHealth(name, reported)
		ours[h.ID] = true
		all = append(all, h)
	}
	for _, id := range sortedKeys(reported) {
		if h := reported[id]; !ours[id] {
			h.Name = id
			c.addMachine(&h)
			all = append(all, h)
		}
	}
	return all, nil
}

// controllerHealth is about the instance that runs, else the one that is
// registered, under a name.
func (c *Cloud) controllerHealth(name string, reported map[string]lb.InstanceHealth) lb.InstanceHealth {
	id := c.controllers.id(name)
	if registered := c.controllers.registeredAs(name, sortedKeys(reported)); id == "" && len(registered) > 0 {
		id = registered[0].id
	}
	h, ok := reported[id]
	if !ok {
		h = lb.InstanceHealth{State: "not registered"}
	}
	h.Name, h.ID, h.Ours = name, id, true
	c.addMachine(&h)
	return h
}

func (c *Cloud) addMachine(h *lb.InstanceHealth) {
	i := c.controllers.known[h.ID]
	h.Machine, h.MachineSince = i.state, i.since
	if !h.Ours && i.name != "" {
		h.Name = i.name
	}
}

// Status is part of lb.Cloud.
func (c *Cloud) Status(ctx context.Context) (lb.Status, error) {
	targets, err := c.Health(ctx)
	s := lb.Status{
		Where: c.Where(), Kind: c.balancer.Kind(), Name: c.balancer.Name(), State: c.balancer.state(),
		Addresses: []string{}, Listeners: append([]lb.Listener{}, c.balancer.listeners()...), Targets: targets,
	}
	if dns := c.Address(); dns != "" {
		s.Addresses = append(s.Addresses, dns)
	}
	return s, err
}
