// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// The states of an instance behind a load balancer. The service says nothing of
// one that it has not probed yet.
const (
	healthy       = "HEALTHY"
	unknown       = "UNKNOWN"
	notRegistered = "not registered"
)

// Health is part of lb.Cloud.
func (c *Cloud) Health(ctx context.Context) ([]lb.InstanceHealth, error) {
	c.controllers.forget()
	states, err := c.backend.health(ctx)
	if err == nil {
		err = c.controllers.look(ctx) // where there is no backend yet
	}
	if err != nil {
		return nil, c.Explain(err)
	}
	var all []lb.InstanceHealth
	for _, name := range c.controllers.cfg.Instances {
		at := c.controllers.place(name, states)
		state, ok := states[at]
		if !ok {
			state = notRegistered
		}
		all = append(all, c.instanceHealth(name, at, state, true))
		delete(states, at)
	}
	for _, tail := range slices.Sorted(maps.Keys(states)) {
		all = append(all, c.instanceHealth(path.Base(tail), tail, states[tail], false))
	}
	return all, nil
}

// place is the tail of a controller: of the one that runs, else of one that is
// registered, else of one that is there at all, else "".
func (c *controllers) place(name string, registered map[string]string) string {
	if i, problem := c.find(name); problem == "" {
		return i.tail()
	}
	for _, tail := range slices.Sorted(maps.Keys(registered)) {
		if path.Base(tail) == name {
			return tail
		}
	}
	if len(c.named[name]) > 0 {
		return c.named[name][0].tail()
	}
	return ""
}

func (c *Cloud) instanceHealth(name, tail, state string, ours bool) lb.InstanceHealth {
	h := lb.InstanceHealth{Name: name, ID: zone(tail), State: state, InService: state == healthy, Ours: ours, Machine: gone}
	if i, there := c.controllers.of(tail); there {
		h.Machine, h.MachineSince = i.status, i.since
	}
	cfg := c.controllers.cfg
	switch {
	case state == healthy:
	case h.Machine == gone:
		h.Reason = "there is no such instance"
	case h.Machine != running:
		h.Reason = fmt.Sprintf("the instance is %s; start it", h.Machine)
	case state == notRegistered:
	case state == unknown:
		h.Reason = "not probed yet"
	default:
		h.Reason = fmt.Sprintf("http://%s:%d%s does not answer the health checks with 200; on it, try curl -i http://127.0.0.1:%d%s, and see firewall rule %s",
			name, cfg.HealthCheckPort, cfg.HealthCheckPath, cfg.HealthCheckPort, cfg.HealthCheckPath, cfg.FirewallRule)
	}
	return h
}
