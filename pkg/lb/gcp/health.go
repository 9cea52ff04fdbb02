// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// The states of an instance. The service says nothing of one that it has not
// probed yet.
const (
	healthy       = "HEALTHY"
	unknown       = "UNKNOWN"
	notRegistered = "not registered"
)

// Health is part of lb.Cloud.
func (c *Cloud) Health(ctx context.Context) ([]lb.InstanceHealth, error) {
	states, err := c.backend.health(ctx)
	if err != nil {
		return nil, c.Explain(err)
	}
	var all []lb.InstanceHealth
	ours := c.controllers.tails()
	for _, name := range c.controllers.cfg.Instances {
		state, ok := states[ours[name]]
		if !ok {
			state = notRegistered
		}
		all = append(all, c.instanceHealth(name, ours[name], state, true))
		delete(states, ours[name])
	}
	for _, tail := range slices.Sorted(maps.Keys(states)) {
		all = append(all, c.instanceHealth(path.Base(tail), tail, states[tail], false))
	}
	return all, nil
}

func (c *Cloud) instanceHealth(name, tail, state string, ours bool) lb.InstanceHealth {
	h := lb.InstanceHealth{Name: name, ID: zone(tail), State: state, InService: state == healthy, Ours: ours}
	cfg := c.controllers.cfg
	switch state {
	case healthy, notRegistered:
	case unknown:
		h.Reason = "not probed yet"
	default:
		h.Reason = fmt.Sprintf("http://%s:%d%s does not answer the health checks with 200; on it, try curl -i http://127.0.0.1:%d%s, and see firewall rule %s",
			name, cfg.HealthCheckPort, cfg.HealthCheckPath, cfg.HealthCheckPort, cfg.HealthCheckPath, cfg.FirewallRule)
	}
	return h
}

// zone is that of an instance's tail, zones/us-west1-a/instances/controller-0.
func zone(tail string) string {
	parts := strings.Split(tail, "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}
