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

// poolMember is one controller's place in the target pool.
type poolMember struct {
	pool *targetPool
	name string

	instance   instance // the one that runs
	registered []string // tails in the pool of this name
}

func (m *poolMember) Kind() string { return "pool member" }
func (m *poolMember) Name() string { return m.name }

// Read finds one that is registered although it does not run: it gets no traffic
// now, and all that comes when it starts.
func (m *poolMember) Read(ctx context.Context) (lb.State, error) {
	if err := m.pool.get(ctx); err != nil {
		return lb.State{}, err
	}
	if err := m.pool.controllers.look(ctx); err != nil {
		return lb.State{}, err
	}
	m.registered = slices.DeleteFunc(m.pool.members(), func(tail string) bool { return path.Base(tail) != m.name })
	found, problem := m.pool.controllers.find(m.name)
	m.instance = found
	state := lb.State{ID: found.zone, Problem: problem, Membership: true}
	state.Exists = slices.Contains(m.registered, found.tail())
	if problem != "" && len(m.registered) > 0 {
		state.Exists = true
		state.ID = zone(m.registered[0])
		state.Problem = fmt.Sprintf("%s; target pool %s has %s (%s)", problem, m.pool.cfg.TargetPool, m.registered[0], m.pool.controllers.stateOf(m.registered[0]))
	}
	return state, nil
}

func (m *poolMember) Create(ctx context.Context) error {
	p := m.pool
	p.known = false
	return p.change(ctx, "targetPools.addInstance", func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetPoolsAddInstanceRequest{Instances: []*compute.InstanceReference{{Instance: p.link(m.instance.tail())}}}
		return p.TargetPools.AddInstance(p.project, p.region, p.cfg.TargetPool, reference).RequestId(id).Context(ctx).Do()
	})
}

// Delete takes out whatever has the controller's name: a stopped one would get
// traffic when it starts.
func (m *poolMember) Delete(ctx context.Context) error {
	for _, tail := range m.registered {
		if err := m.pool.remove(ctx, tail); err != nil {
			return err
		}
	}
	return nil
}

// goneMember is the place of an instance that is no more.
type goneMember struct {
	pool *targetPool
	at   string
}

func (m *goneMember) Kind() string { return "pool member" }
func (m *goneMember) Name() string { return path.Base(m.at) }

func (m *goneMember) Read(context.Context) (lb.State, error) {
	return lb.State{Exists: slices.Contains(m.pool.members(), m.at), ID: zone(m.at) + ", " + gone}, nil
}

func (m *goneMember) Delete(ctx context.Context) error { return m.pool.remove(ctx, m.at) }
