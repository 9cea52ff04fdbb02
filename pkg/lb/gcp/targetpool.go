// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"path"
	"slices"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// targetPool is what the lab puts its controllers into.
type targetPool struct {
	*client
	cfg         Config
	check       string // the tail of its health check
	controllers *controllers
	rule        *forwardingRule

	once[compute.TargetPool]
}

func (p *targetPool) Kind() string { return "target pool" }
func (p *targetPool) Name() string { return p.cfg.TargetPool }
func (p *targetPool) tail() string { return p.regional("targetPools", p.cfg.TargetPool) }

// get reads the pool and its instances once: its health check asks who else is in
// it.
func (p *targetPool) get(ctx context.Context) error {
	if p.known {
		return nil
	}
	err := p.find(ctx, p.client, "targetPools.get", p.tail(), func(ctx context.Context) (*compute.TargetPool, error) {
		return p.TargetPools.Get(p.project, p.region, p.cfg.TargetPool).Context(ctx).Do()
	})
	if err != nil {
		return err
	}
	return p.controllers.look(ctx, names(p.members())...)
}

// names are the last parts of tails.
func names(tails []string) []string {
	var all []string
	for _, t := range tails {
		all = append(all, path.Base(t))
	}
	return all
}

// members are the tails of the instances in it.
func (p *targetPool) members() []string {
	if p.found == nil {
		return nil
	}
	return tails(p.found.Instances)
}

// Keep is part of lb.Keeper; what the pool refers to asks it, too. It ignores what
// a deleted controller has left in the pool.
func (p *targetPool) Keep(ctx context.Context) (string, error) {
	if err := p.get(ctx); err != nil || p.found == nil {
		return "", err
	}
	if !marked(p.found.Description) {
		return fmt.Sprintf("target pool %s, %s, needs it", p.cfg.TargetPool, lb.NotOurs), nil
	}
	for _, u := range p.controllers.unmanaged(p.members()) {
		if !p.controllers.isController(u) && p.controllers.stateOf(u) != gone {
			return fmt.Sprintf("%s is in target pool %s", u, p.cfg.TargetPool), nil
		}
	}
	return p.rule.needs(ctx)
}

func (p *targetPool) Read(ctx context.Context) (lb.State, error) {
	if err := p.get(ctx); err != nil {
		return lb.State{}, err
	}
	state := lb.State{Unmanaged: p.lacks()}
	if p.found == nil {
		return state, nil
	}
	state.Exists, state.Ours = true, marked(p.found.Description)
	if affinity := p.found.SessionAffinity; affinity != p.cfg.SessionAffinity {
		state.Problem = fmt.Sprintf("its session affinity is %s, not %s, which cannot be changed; keep it with --session-affinity %s, name another with --target-pool, or use --type backend-service",
			affinity, p.cfg.SessionAffinity, affinity)
	}
	var d diff
	d.set("health check", tails(p.found.HealthChecks), []string{p.check})
	state.Changes = d
	for _, u := range p.controllers.unmanaged(p.members()) {
		if p.prunes(u) || p.isMembers(u) {
			continue
		}
		state.Unmanaged = append(state.Unmanaged, p.registered(u))
	}
	return state, nil
}

// isMembers reports whether the step of a pool member tells of an instance: of one
// that has a controller's name where no controller of the name runs.
func (p *targetPool) isMembers(tail string) bool {
	_, problem := p.controllers.find(path.Base(tail))
	return problem != "" && p.controllers.isController(tail)
}

// lacks says what the wanted settings cannot have here.
func (p *targetPool) lacks() []string {
	if p.cfg.Draining == 0 {
		return nil
	}
	return []string{fmt.Sprintf("target pool %s has no connection draining: connections to a controller that is taken out are not waited for; --type backend-service has it", p.cfg.TargetPool)}
}

// registered says what is in the pool beside the controllers that run.
func (p *targetPool) registered(tail string) string {
	said := fmt.Sprintf("%s (%s) is in target pool %s too", tail, p.controllers.stateOf(tail), p.cfg.TargetPool)
	if p.controllers.stateOf(tail) == gone {
		said += "; --prune takes it out"
	}
	return said
}

func (p *targetPool) Create(ctx context.Context) error {
	p.known = false
	return p.change(ctx, "targetPools.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
		wanted := &compute.TargetPool{Name: p.cfg.TargetPool, Description: mark, SessionAffinity: p.cfg.SessionAffinity, HealthChecks: []string{p.link(p.check)}}
		return p.TargetPools.Insert(p.project, p.region, wanted).RequestId(id).Context(ctx).Do()
	})
}

// Update takes the wrong health check away first: a pool has at most one, and
// counts every member as healthy while it has none.
func (p *targetPool) Update(ctx context.Context) error {
	p.known = false
	if err := p.get(ctx); err != nil {
		return err
	}
	checks := tails(p.found.HealthChecks)
	for _, wrong := range checks {
		if wrong == p.check {
			continue
		}
		err := p.change(ctx, "targetPools.removeHealthCheck", func(ctx context.Context, id string) (*compute.Operation, error) {
			reference := &compute.TargetPoolsRemoveHealthCheckRequest{HealthChecks: []*compute.HealthCheckReference{{HealthCheck: p.link(wrong)}}}
			return p.TargetPools.RemoveHealthCheck(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
		})
		if err != nil {
			return err
		}
	}
	if slices.Contains(checks, p.check) {
		return nil
	}
	return p.change(ctx, "targetPools.addHealthCheck", func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetPoolsAddHealthCheckRequest{HealthChecks: []*compute.HealthCheckReference{{HealthCheck: p.link(p.check)}}}
		return p.TargetPools.AddHealthCheck(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
	})
}

func (p *targetPool) Delete(ctx context.Context) error {
	return p.change(ctx, "targetPools.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
		return p.TargetPools.Delete(p.project, p.region, p.cfg.TargetPool).RequestId(id).Context(ctx).Do()
	})
}

// remove takes an instance out of the pool. It has no error where another run was
// faster.
func (p *targetPool) remove(ctx context.Context, tail string) error {
	err := p.change(ctx, "targetPools.removeInstance", func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetPoolsRemoveInstanceRequest{Instances: []*compute.InstanceReference{{Instance: p.link(tail)}}}
		return p.TargetPools.RemoveInstance(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
	})
	if err == nil {
		return nil
	}
	p.known = false
	if failed := p.get(ctx); failed == nil && !slices.Contains(p.members(), tail) {
		return nil
	}
	return err
}

// prunes reports whether the place of an instance that is no more is to go.
func (p *targetPool) prunes(tail string) bool {
	return p.cfg.Prune && p.controllers.stateOf(tail) == gone
}

// stale are the places of instances that are no more.
func (p *targetPool) stale() []lb.Resource {
	var all []lb.Resource
	for _, m := range p.members() {
		if p.prunes(m) {
			all = append(all, &goneMember{p, m})
		}
	}
	return all
}

// health asks for one instance at a time, as the API wants it.
func (p *targetPool) health(ctx context.Context) (map[string]string, error) {
	p.known = false
	if err := p.get(ctx); err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, member := range p.members() {
		answer, err := call(ctx, p.client, "targetPools.getHealth", func(ctx context.Context) (*compute.TargetPoolInstanceHealth, error) {
			return p.TargetPools.GetHealth(p.project, p.region, p.cfg.TargetPool, &compute.InstanceReference{Instance: p.link(member)}).Context(ctx).Do()
		})
		if err != nil {
			return nil, fmt.Errorf("asking for the health of %s: %w", member, err)
		}
		states[member] = worst(answer.HealthStatus)
	}
	return states, nil
}

// worst is the state of an instance that has one for each forwarding rule.
func worst(all []*compute.HealthStatus) string {
	state := unknown
	for _, s := range all {
		if state == unknown || s.HealthState != healthy {
			state = s.HealthState
		}
	}
	return state
}
