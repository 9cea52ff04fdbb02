// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// instanceGroup is the unmanaged group of one zone's controllers: what a backend
// service sends to in the place of instances.
type instanceGroup struct {
	*client
	cfg         Config
	zone        string
	controllers *controllers
	service     *backendService

	members []string // tails
}

func (g *instanceGroup) Kind() string { return "instance group" }
func (g *instanceGroup) Name() string { return g.zone + "/" + g.cfg.InstanceGroup }
func (g *instanceGroup) tail() string {
	return "zones/" + g.zone + "/instanceGroups/" + g.cfg.InstanceGroup
}

func (g *instanceGroup) Read(ctx context.Context) (lb.State, error) {
	found, err := find(ctx, g.client, func(ctx context.Context) (*compute.InstanceGroup, error) {
		return g.InstanceGroups.Get(g.project, g.zone, g.cfg.InstanceGroup).Context(ctx).Do()
	})
	if err != nil || found == nil {
		return lb.State{}, err
	}
	if err := g.look(ctx); err != nil {
		return lb.State{}, err
	}
	state := lb.State{Exists: true, Ours: found.Description == mark}
	state.Keep, err = g.service.kept(ctx)
	for _, s := range g.controllers.unmanaged(g.members) {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("%s is in instance group %s too", s, g.Name()))
		state.Keep = s + " is in it"
	}
	return state, err
}

// look reads who is in the group.
func (g *instanceGroup) look(ctx context.Context) error {
	g.members = nil
	for token := ""; ; {
		page, err := call(ctx, g.client, func(ctx context.Context) (*compute.InstanceGroupsListInstances, error) {
			return g.InstanceGroups.ListInstances(g.project, g.zone, g.cfg.InstanceGroup, &compute.InstanceGroupsListInstancesRequest{}).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return err
		}
		for _, i := range page.Items {
			g.members = append(g.members, tail(i.Instance))
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	return nil
}

func (g *instanceGroup) Create(ctx context.Context) error {
	return g.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		wanted := &compute.InstanceGroup{Name: g.cfg.InstanceGroup, Description: mark}
		return g.InstanceGroups.Insert(g.project, g.zone, wanted).RequestId(id).Context(ctx).Do()
	})
}

func (g *instanceGroup) Delete(ctx context.Context) error {
	return g.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return g.InstanceGroups.Delete(g.project, g.zone, g.cfg.InstanceGroup).RequestId(id).Context(ctx).Do()
	})
}

// groupMember is one controller's place in its zone's group.
type groupMember struct {
	controllers *controllers
	groups      map[string]*instanceGroup // by zone
	name        string

	instance instance
	group    *instanceGroup
}

func (m *groupMember) Kind() string { return "group member" }
func (m *groupMember) Name() string { return m.name }

func (m *groupMember) Read(context.Context) (lb.State, error) {
	found, problem := m.controllers.find(m.name)
	if problem != "" {
		return lb.State{Problem: problem}, nil
	}
	m.instance, m.group = found, m.groups[found.zone]
	return lb.State{Exists: slices.Contains(m.group.members, found.tail()), ID: found.zone, Membership: true}, nil
}

func (m *groupMember) Create(ctx context.Context) error {
	g := m.group
	return g.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.InstanceGroupsAddInstancesRequest{Instances: []*compute.InstanceReference{{Instance: g.link(m.instance.tail())}}}
		return g.InstanceGroups.AddInstances(g.project, g.zone, g.cfg.InstanceGroup, reference).RequestId(id).Context(ctx).Do()
	})
}

func (m *groupMember) Delete(ctx context.Context) error {
	g := m.group
	return g.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.InstanceGroupsRemoveInstancesRequest{Instances: []*compute.InstanceReference{{Instance: g.link(m.instance.tail())}}}
		return g.InstanceGroups.RemoveInstances(g.project, g.zone, g.cfg.InstanceGroup, reference).RequestId(id).Context(ctx).Do()
	})
}
