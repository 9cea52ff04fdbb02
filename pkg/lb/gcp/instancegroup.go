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
	found, err := find(ctx, g.client, "instanceGroups.get", g.tail(), func(ctx context.Context) (*compute.InstanceGroup, error) {
		return g.InstanceGroups.Get(g.project, g.zone, g.cfg.InstanceGroup).Context(ctx).Do()
	})
	if err != nil || found == nil {
		return lb.State{}, err
	}
	if err := g.look(ctx); err != nil {
		return lb.State{}, err
	}
	state := lb.State{Exists: true, Ours: marked(found.Description)}
	for _, u := range g.controllers.unmanaged(g.members) {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("%s (%s) is in instance group %s too", u, g.controllers.stateOf(u), g.Name()))
		if !g.controllers.isController(u) {
			state.Keep = u + " is in it"
		}
	}
	return state, nil
}

// Keep is part of lb.Keeper.
func (g *instanceGroup) Keep(ctx context.Context) (string, error) {
	reason, err := g.service.Keep(ctx)
	if err != nil || reason != "" {
		return reason, err
	}
	return g.service.sharedWith(ctx, func(other *compute.BackendService) bool {
		return slices.ContainsFunc(other.Backends, func(b *compute.Backend) bool { return tail(b.Group) == g.tail() })
	})
}

// look reads who is in the group, and how they are. A group loses instances that
// are deleted.
func (g *instanceGroup) look(ctx context.Context) error {
	g.members = nil
	for token := ""; ; {
		page, err := call(ctx, g.client, "instanceGroups.listInstances", func(ctx context.Context) (*compute.InstanceGroupsListInstances, error) {
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
	return g.controllers.look(ctx, names(g.members)...)
}

func (g *instanceGroup) Create(ctx context.Context) error {
	return g.change(ctx, "instanceGroups.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
		wanted := &compute.InstanceGroup{Name: g.cfg.InstanceGroup, Description: mark}
		return g.InstanceGroups.Insert(g.project, g.zone, wanted).RequestId(id).Context(ctx).Do()
	})
}

func (g *instanceGroup) Delete(ctx context.Context) error {
	return g.change(ctx, "instanceGroups.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
		return g.InstanceGroups.Delete(g.project, g.zone, g.cfg.InstanceGroup).RequestId(id).Context(ctx).Do()
	})
}
