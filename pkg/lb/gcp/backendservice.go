// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"errors"
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

	once[compute.BackendService]
}

func (s *backendService) Kind() string { return "backend service" }
func (s *backendService) Name() string { return s.cfg.BackendService }
func (s *backendService) tail() string { return s.regional("backendServices", s.cfg.BackendService) }

// get reads the service once: what it refers to asks who else uses it.
func (s *backendService) get(ctx context.Context) error {
	return s.find(ctx, s.client, func(ctx context.Context) (*compute.BackendService, error) {
		return s.RegionBackendServices.Get(s.project, s.region, s.cfg.BackendService).Context(ctx).Do()
	})
}

// backends are the tails of its groups, ours and others.
func (s *backendService) backends() (ours, others []string) {
	if s.found == nil {
		return nil, nil
	}
	for _, b := range s.found.Backends {
		if group := tail(b.Group); slices.Contains(s.wantedGroups(), group) {
			ours = append(ours, group)
		} else {
			others = append(others, group)
		}
	}
	return ours, others
}

func (s *backendService) kept(ctx context.Context) (string, error) {
	err := s.get(ctx)
	if _, others := s.backends(); len(others) > 0 {
		return fmt.Sprintf("%s is a backend of %s", others[0], s.cfg.BackendService), err
	}
	return "", err
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
	if err := s.get(ctx); err != nil || s.found == nil {
		return lb.State{}, err
	}
	if scheme := s.found.LoadBalancingScheme; scheme != external {
		problem := fmt.Sprintf("its load balancing scheme is %s, not %s, which cannot be changed; delete it, or name another with --backend-service", scheme, external)
		return lb.State{Exists: true, Problem: problem, Keep: "its load balancing scheme is " + scheme}, nil
	}
	ours, others := s.backends()
	var d diff
	d.set("health check", tails(s.found.HealthChecks), []string{s.check})
	d.field("protocol", s.found.Protocol, protocolTCP)
	d.set("backends", ours, s.wantedGroups())
	state := lb.State{Exists: true, Changes: d, Ours: s.found.Description == mark}
	for _, o := range others {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("%s is a backend of %s too", o, s.cfg.BackendService))
	}
	var err error
	state.Keep, err = s.kept(ctx)
	return state, err
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
	s.known = false
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
	s.known = false
	if err := s.get(ctx); err != nil {
		return err
	}
	if s.found == nil {
		return errors.New("it has been deleted meanwhile; the same command plans anew")
	}
	wanted := s.wanted(s.found.Backends)
	wanted.Fingerprint = s.found.Fingerprint
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
	s.known = false
	if err := s.get(ctx); err != nil || s.found == nil {
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
	for _, b := range s.found.Backends {
		answer, err := call(ctx, s.client, func(ctx context.Context) (*compute.BackendServiceGroupHealth, error) {
			return s.RegionBackendServices.GetHealth(s.project, s.region, s.cfg.BackendService, &compute.ResourceGroupReference{Group: b.Group}).Context(ctx).Do()
		})
		if err != nil {
			return nil, fmt.Errorf("asking for the health of %s: %w", tail(b.Group), err)
		}
		statuses := map[string][]*compute.HealthStatus{}
		for _, status := range answer.HealthStatus {
			instance := tail(status.Instance)
			statuses[instance] = append(statuses[instance], status)
			states[instance] = worst(statuses[instance])
		}
	}
	return states, nil
}
