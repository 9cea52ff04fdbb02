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
	// health is by instance ID; empty while there is no pool.
	health(ctx context.Context) (map[string]lb.InstanceHealth, error)
	// needed says who else needs the members to be there, or is "".
	needed() string
	// registerLine and deregisterLine are the aws tool's.
	registerLine(id string) string
	deregisterLine(id string) string
}

// registration is one controller's place behind the balancer.
type registration struct {
	name        string
	controllers *controllers
	pool        pool
	// ids are the one that is, or is to be, registered; in a deletion all that are
	// registered under the name.
	ids []string
}

func (r *registration) Kind() string { return "registration" }
func (r *registration) Name() string { return r.name }

func (r *registration) Read(ctx context.Context) (lb.State, error) {
	if r.controllers.vpc.id == "" {
		return lb.State{}, nil
	}
	members := r.pool.members()
	if err := r.controllers.lookUp(ctx, members); err != nil {
		return lb.State{}, err
	}
	found, problem := r.controllers.find(r.name)
	if problem != "" {
		return r.notRunning(problem), nil
	}
	r.ids = []string{found.id}
	state := lb.State{ID: found.id, Exists: slices.Contains(members, found.id), Membership: true}
	if zones := r.pool.zones(); len(zones) > 0 && !slices.Contains(zones, found.zone) {
		said := fmt.Sprintf("%s is in %s, where the load balancer has no subnet, and gets no traffic; add one with --create and --subnet", r.name, found.zone)
		if r.controllers.anyIn(zones) {
			state.Unmanaged = []string{said}
		} else {
			state.Problem = said + ": nobody would be served"
		}
	}
	return state, nil
}

// notRunning is for a name that no one running instance has. What is registered
// under it would get traffic again when it starts.
func (r *registration) notRunning(problem string) lb.State {
	r.ids = nil
	registered := r.controllers.registeredAs(r.name, r.pool.members())
	for _, i := range registered {
		r.ids = append(r.ids, i.id)
	}
	switch len(registered) {
	case 0:
		return lb.State{Problem: problem}
	case 1:
		if i := registered[0]; i.isStopped() {
			problem = fmt.Sprintf("%s is registered and %s; start it, or leave it out of --instances", i.id, i.state)
		}
	}
	return lb.State{Exists: true, ID: join(r.ids), Membership: true, Problem: problem}
}

func (r *registration) Create(ctx context.Context) error {
	return r.pool.register(ctx, r.ids[0])
}

func (r *registration) Delete(ctx context.Context) error {
	for _, id := range r.ids {
		if err := r.pool.deregister(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (r *registration) Keep(context.Context) (string, error) { return r.pool.needed(), nil }

func (r *registration) Commands(a lb.Action) []string {
	var lines []string
	for _, id := range r.ids {
		if a == lb.Create {
			lines = append(lines, r.pool.registerLine(id))
		} else {
			lines = append(lines, r.pool.deregisterLine(id))
		}
	}
	return lines
}
