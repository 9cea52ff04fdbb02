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

// groupMember is one controller's place in its zone's group.
type groupMember struct {
	controllers *controllers
	groups      []*instanceGroup
	name        string

	group *instanceGroup // of its zone, or the one that has it although it does not run
	at    string         // the tail of what is in the group, or belongs there
}

func (m *groupMember) Kind() string { return "group member" }
func (m *groupMember) Name() string { return m.name }

// Read finds one that is registered although it does not run: it gets no traffic
// now, and all that comes when it starts.
func (m *groupMember) Read(ctx context.Context) (lb.State, error) {
	if err := m.controllers.look(ctx); err != nil {
		return lb.State{}, err
	}
	found, problem := m.controllers.find(m.name)
	state := lb.State{ID: found.zone, Problem: problem, Membership: true}
	for _, g := range m.groups {
		if problem == "" && g.zone == found.zone {
			m.group, m.at = g, found.tail()
			state.Exists = slices.Contains(g.members, m.at)
		}
		i := slices.IndexFunc(g.members, func(tail string) bool { return path.Base(tail) == m.name })
		if problem != "" && i >= 0 {
			m.group, m.at = g, g.members[i]
			state.Exists, state.ID = true, g.zone
			state.Problem = fmt.Sprintf("%s; instance group %s has %s (%s)", problem, g.Name(), m.at, m.controllers.stateOf(m.at))
		}
	}
	return state, nil
}

// Create has no error where another run was faster: the service refuses a second
// place in the same group.
func (m *groupMember) Create(ctx context.Context) error {
	g := m.group
	err := g.change(ctx, "instanceGroups.addInstances", func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.InstanceGroupsAddInstancesRequest{Instances: []*compute.InstanceReference{{Instance: g.link(m.at)}}}
		return g.InstanceGroups.AddInstances(g.project, g.zone, g.cfg.InstanceGroup, reference).RequestId(id).Context(ctx).Do()
	})
	if err == nil {
		return nil
	}
	if failed := g.look(ctx); failed == nil && slices.Contains(g.members, m.at) {
		return nil
	}
	return err
}

// Delete has no error where another run was faster, or has deleted the group.
func (m *groupMember) Delete(ctx context.Context) error {
	g := m.group
	err := g.change(ctx, "instanceGroups.removeInstances", func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.InstanceGroupsRemoveInstancesRequest{Instances: []*compute.InstanceReference{{Instance: g.link(m.at)}}}
		return g.InstanceGroups.RemoveInstances(g.project, g.zone, g.cfg.InstanceGroup, reference).RequestId(id).Context(ctx).Do()
	})
	if err == nil {
		return nil
	}
	if failed := g.look(ctx); absent(failed) || failed == nil && !slices.Contains(g.members, m.at) {
		return nil
	}
	return err
}
