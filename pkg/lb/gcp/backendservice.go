// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

const (
	protocolTCP = "TCP"
	external    = "EXTERNAL"
)

// backendService is the regional one of an external passthrough load balancer.
type backendService struct {
	*client
	cfg    Config
	check  string // the tail of its health check
	groups []*instanceGroup
}

func (s *backendService) Kind() string { return "backend service" }
func (s *backendService) Name() string { return s.cfg.BackendService }
func (s *backendService) tail() string { return s.regional("backendServices", s.cfg.BackendService) }

func (s *backendService) get(ctx context.Context) (*compute.BackendService, error) {
	return call(ctx, s.client, func(ctx context.Context) (*compute.BackendService, error) {
		return s.RegionBackendServices.Get(s.project, s.region, s.cfg.BackendService).Context(ctx).Do()
	})
}

// wantedGroups are the tails of the zones' groups.
func (s *backendService) wantedGroups() []string {
	var all []string
	for _, g := range s.groups {
		all = append(all, g.tail())
	}
	return all
}

func (s *backendService) Read(ctx context.Context) (lb.State, error) {
	found, err := s.get(ctx)
	if absent(err) {
		return lb.State{}, nil
	} else if err != nil {
		return lb.State{}, err
	}
	if found.LoadBalancingScheme != external {
		problem := fmt.Sprintf("its load balancing scheme is %s, not %s, which cannot be changed; delete it, or name another with --backend-service", found.LoadBalancingScheme, external)
		return lb.State{Exists: true, Problem: problem, Keep: "its load balancing scheme is " + found.LoadBalancingScheme}, nil
	}
	var d diff
	d.set("health check", tails(found.HealthChecks), []string{s.check})
	d.field("protocol", found.Protocol, protocolTCP)
	var ours []string
	state := lb.State{Exists: true, Ours: found.Description == mark}
	for _, b := range found.Backends {
		group := tail(b.Group)
		if slices.Contains(s.wantedGroups(), group) {
			ours = append(ours, group)
		} else {
			state.Others = append(state.Others, group+" is a backend of it too")
			state.Keep = group + " is a backend of it"
		}
	}
	d.set("backends", ours, s.wantedGroups())
	state.Changes = d
	return state, nil
}

// wanted keeps the backends that are there already, ours or not.
func (s *backendService) wanted(there []*compute.Backend) *compute.BackendService {
	backends := slices.Clone(there)
	for _, group := range s.wantedGroups() {
		if !slices.ContainsFunc(there, func(b *compute.Backend) bool { return tail(b.Group) == group }) {
			backends = append(backends, &compute.Backend{Group: s.link(group), BalancingMode: "CONNECTION"})
		}
	}
	return &compute.BackendService{HealthChecks: []string{s.link(s.check)}, Protocol: protocolTCP, Backends: backends}
}

func (s *backendService) Create(ctx context.Context) error {
	wanted := s.wanted(nil)
	wanted.Name, wanted.Description, wanted.LoadBalancingScheme = s.cfg.BackendService, mark, external
	return s.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return s.RegionBackendServices.Insert(s.project, s.region, wanted).RequestId(id).Context(ctx).Do()
	})
}

// Update reads the service anew when somebody changes it at the same time, once.
func (s *backendService) Update(ctx context.Context) error {
	err := s.patch(ctx)
	if hasCode(err, http.StatusPreconditionFailed) {
		err = s.patch(ctx)
	}
	return err
}

func (s *backendService) patch(ctx context.Context) error {
	found, err := s.get(ctx)
	if err != nil {
		return err
	}
	wanted := s.wanted(found.Backends)
	wanted.Fingerprint = found.Fingerprint
	return s.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return s.RegionBackendServices.Patch(s.project, s.region, s.cfg.BackendService, wanted).RequestId(id).Context(ctx).Do()
	})
}

func (s *backendService) Delete(ctx context.Context) error {
	return s.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return s.RegionBackendServices.Delete(s.project, s.region, s.cfg.BackendService).RequestId(id).Context(ctx).Do()
	})
}

func (s *backendService) health(ctx context.Context) (map[string]string, error) {
	found, err := s.get(ctx)
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, g := range s.groups {
		if err := g.look(ctx); err != nil {
			return nil, err
		}
		for _, m := range g.members {
			states[m] = unknown // the service tells only what it has probed
		}
	}
	for _, b := range found.Backends {
		answer, err := call(ctx, s.client, func(ctx context.Context) (*compute.BackendServiceGroupHealth, error) {
			return s.RegionBackendServices.GetHealth(s.project, s.region, s.cfg.BackendService, &compute.ResourceGroupReference{Group: b.Group}).Context(ctx).Do()
		})
		if err != nil {
			return nil, fmt.Errorf("asking for the health of %s: %w", tail(b.Group), err)
		}
		for _, status := range answer.HealthStatus {
			states[tail(status.Instance)] = status.HealthState
		}
	}
	return states, nil
}
