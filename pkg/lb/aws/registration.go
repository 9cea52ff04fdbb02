// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// pool is what instances are registered with: a classic load balancer, or a
// target group.
type pool interface {
	// members are the IDs of those registered.
	members() []string
	// zones are where the balancer sends traffic to; none while that is not known.
	zones() []string
	register(ctx context.Context, id string) error
	deregister(ctx context.Context, id string) error
	// health is by instance ID.
	health(ctx context.Context) (map[string]lb.InstanceHealth, error)
}

// registration is one controller's place behind the balancer.
type registration struct {
	name        string
	controllers *controllers
	pool        pool
	instance    instance
}

func (r *registration) Kind() string { return "registration" }
func (r *registration) Name() string { return r.name }

func (r *registration) Read(ctx context.Context) (lb.State, error) {
	if r.controllers.vpc.id == "" {
		return lb.State{}, nil
	}
	if err := r.controllers.look(ctx); err != nil {
		return lb.State{}, err
	}
	found, problem := r.controllers.find(r.name)
	if problem != "" {
		return lb.State{Problem: problem}, nil
	}
	r.instance = found
	state := lb.State{ID: found.id, Exists: slices.Contains(r.pool.members(), found.id)}
	if zones := r.pool.zones(); len(zones) > 0 && !slices.Contains(zones, found.zone) {
		state.Unmanaged = []string{fmt.Sprintf("%s is in %s, where the load balancer has no subnet, and gets no traffic; add one with --create and --subnet", r.name, found.zone)}
	}
	return state, nil
}

func (r *registration) Create(ctx context.Context) error {
	return r.pool.register(ctx, r.instance.id)
}

func (r *registration) Delete(ctx context.Context) error {
	return r.pool.deregister(ctx, r.instance.id)
}
