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

	once[compute.TargetPool]
}

func (p *targetPool) Kind() string { return "target pool" }
func (p *targetPool) Name() string { return p.cfg.TargetPool }
func (p *targetPool) tail() string { return p.regional("targetPools", p.cfg.TargetPool) }

// get reads the pool once: its health check asks who else is in it.
func (p *targetPool) get(ctx context.Context) error {
	if err := p.controllers.look(ctx); err != nil {
		return err
	}
	return p.find(ctx, p.client, func(ctx context.Context) (*compute.TargetPool, error) {
		return p.TargetPools.Get(p.project, p.region, p.cfg.TargetPool).Context(ctx).Do()
	})
}

// members are the tails of the instances in it.
func (p *targetPool) members() []string {
	if p.found == nil {
		return nil
	}
	return tails(p.found.Instances)
}

// kept ignores what a deleted controller has left in the pool.
func (p *targetPool) kept(ctx context.Context) (string, error) {
	err := p.get(ctx)
	for _, s := range p.controllers.unmanaged(p.members()) {
		if !slices.Contains(p.cfg.Instances, path.Base(s)) {
			return fmt.Sprintf("%s is in target pool %s", s, p.cfg.TargetPool), err
		}
	}
	return "", err
}

func (p *targetPool) Read(ctx context.Context) (lb.State, error) {
	if err := p.get(ctx); err != nil || p.found == nil {
		return lb.State{}, err
	}
	var d diff
	d.set("health check", tails(p.found.HealthChecks), []string{p.check})
	state := lb.State{Exists: true, Changes: d, Ours: p.found.Description == mark}
	for _, s := range p.controllers.unmanaged(p.members()) {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("%s is in target pool %s too", s, p.cfg.TargetPool))
	}
	var err error
	state.Keep, err = p.kept(ctx)
	return state, err
}

func (p *targetPool) Create(ctx context.Context) error {
	p.known = false
	return p.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		wanted := &compute.TargetPool{Name: p.cfg.TargetPool, Description: mark, HealthChecks: []string{p.link(p.check)}}
		return p.TargetPools.Insert(p.project, p.region, wanted).RequestId(id).Context(ctx).Do()
	})
}

// Update takes the wrong health check away first: a pool has at most one, and
// counts every member as healthy while it has none.
func (p *targetPool) Update(ctx context.Context) error {
	for _, wrong := range tails(p.found.HealthChecks) {
		err := p.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
			reference := &compute.TargetPoolsRemoveHealthCheckRequest{HealthChecks: []*compute.HealthCheckReference{{HealthCheck: p.link(wrong)}}}
			return p.TargetPools.RemoveHealthCheck(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
		})
		if err != nil {
			return err
		}
	}
	return p.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetPoolsAddHealthCheckRequest{HealthChecks: []*compute.HealthCheckReference{{HealthCheck: p.link(p.check)}}}
		return p.TargetPools.AddHealthCheck(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
	})
}

func (p *targetPool) Delete(ctx context.Context) error {
	return p.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return p.TargetPools.Delete(p.project, p.region, p.cfg.TargetPool).RequestId(id).Context(ctx).Do()
	})
}

// health asks for one instance at a time, as the API wants it.
func (p *targetPool) health(ctx context.Context) (map[string]string, error) {
	p.known = false
	if err := p.get(ctx); err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, member := range p.members() {
		answer, err := call(ctx, p.client, func(ctx context.Context) (*compute.TargetPoolInstanceHealth, error) {
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

// poolMember is one controller's place in the target pool.
type poolMember struct {
	pool     *targetPool
	name     string
	instance instance
}

func (m *poolMember) Kind() string { return "pool member" }
func (m *poolMember) Name() string { return m.name }

func (m *poolMember) Read(context.Context) (lb.State, error) {
	found, problem := m.pool.controllers.find(m.name)
	m.instance = found
	return lb.State{
		Exists:  problem == "" && slices.Contains(m.pool.members(), found.tail()),
		ID:      found.zone,
		Problem: problem, Membership: true,
	}, nil
}

func (m *poolMember) Create(ctx context.Context) error {
	p := m.pool
	return p.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetPoolsAddInstanceRequest{Instances: []*compute.InstanceReference{{Instance: p.link(m.instance.tail())}}}
		return p.TargetPools.AddInstance(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
	})
}

func (m *poolMember) Delete(ctx context.Context) error {
	p := m.pool
	return p.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetPoolsRemoveInstanceRequest{Instances: []*compute.InstanceReference{{Instance: p.link(m.instance.tail())}}}
		return p.TargetPools.RemoveInstance(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
	})
}
