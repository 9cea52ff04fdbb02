// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"errors"
	"fmt"
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
	rule   *forwardingRule

	others []*compute.BackendService // of the region, by other names
	listed bool
	once[compute.BackendService]
}

func (s *backendService) Kind() string { return "backend service" }
func (s *backendService) Name() string { return s.cfg.BackendService }
func (s *backendService) tail() string { return s.regional("backendServices", s.cfg.BackendService) }

// get reads the service once: what it refers to asks who else uses it.
func (s *backendService) get(ctx context.Context) error {
	return s.find(ctx, s.client, "regionBackendServices.get", s.tail(), func(ctx context.Context) (*compute.BackendService, error) {
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

// Keep is part of lb.Keeper; what the service refers to asks it, too.
func (s *backendService) Keep(ctx context.Context) (string, error) {
	if err := s.get(ctx); err != nil || s.found == nil {
		return "", err
	}
	if !marked(s.found.Description) {
		return fmt.Sprintf("backend service %s, %s, needs it", s.cfg.BackendService, lb.NotOurs), nil
	}
	if _, others := s.backends(); len(others) > 0 {
		return fmt.Sprintf("%s is a backend of %s", others[0], s.cfg.BackendService), nil
	}
	return s.rule.needs(ctx)
}

// sharedWith names another backend service of the region that uses something of
// ours, or is "".
func (s *backendService) sharedWith(ctx context.Context, uses func(*compute.BackendService) bool) (string, error) {
	if err := s.list(ctx); err != nil {
		return "", err
	}
	for _, other := range s.others {
		if uses(other) {
			return tail(other.SelfLink) + " uses it", nil
		}
	}
	return "", nil
}

// list reads the other backend services of the region once.
func (s *backendService) list(ctx context.Context) error {
	if s.listed {
		return nil
	}
	for token := ""; ; {
		page, err := call(ctx, s.client, "regionBackendServices.list", func(ctx context.Context) (*compute.BackendServiceList, error) {
			return s.RegionBackendServices.List(s.project, s.region).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return err
		}
		for _, other := range page.Items {
			if other.Name != s.cfg.BackendService {
				s.others = append(s.others, other)
			}
		}
		if token = page.NextPageToken; token == "" {
			s.listed = true
			return nil
		}
	}
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
	d.field("session affinity", s.found.SessionAffinity, s.cfg.SessionAffinity)
	if s.drainsLess() {
		d.number("connection draining in seconds", s.draining(), int64(s.cfg.Draining.Seconds()))
	}
	state := lb.State{Exists: true, Changes: d, Ours: marked(s.found.Description)}
	for _, o := range others {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("%s is a backend of %s too", o, s.cfg.BackendService))
	}
	return state, nil
}

// draining is how long connections of an instance that was taken out live on, in
// seconds.
func (s *backendService) draining() int64 {
	if s.found == nil || s.found.ConnectionDraining == nil {
		return 0
	}
	return s.found.ConnectionDraining.DrainingTimeoutSec
}

// drainsLess reports whether that is to be raised. It is never lowered.
func (s *backendService) drainsLess() bool { return s.draining() < int64(s.cfg.Draining.Seconds()) }

// wanted keeps the backends that are there already, ours or not.
func (s *backendService) wanted(there []*compute.Backend) *compute.BackendService {
	backends := slices.Clone(there)
	for _, group := range s.wantedGroups() {
		if !slices.ContainsFunc(there, func(b *compute.Backend) bool { return tail(b.Group) == group }) {
			backends = append(backends, &compute.Backend{Group: s.link(group), BalancingMode: "CONNECTION"})
		}
	}
	wanted := &compute.BackendService{HealthChecks: []string{s.link(s.check)}, Protocol: protocolTCP, SessionAffinity: s.cfg.SessionAffinity, Backends: backends}
	if s.drainsLess() {
		wanted.ConnectionDraining = &compute.ConnectionDraining{DrainingTimeoutSec: int64(s.cfg.Draining.Seconds())}
	}
	return wanted
}

func (s *backendService) Create(ctx context.Context) error {
	s.known, s.found = false, nil
	wanted := s.wanted(nil)
	wanted.Name, wanted.Description, wanted.LoadBalancingScheme = s.cfg.BackendService, mark, external
	return s.change(ctx, "regionBackendServices.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
		return s.RegionBackendServices.Insert(s.project, s.region, wanted).RequestId(id).Context(ctx).Do()
	})
}

// Update reads the service anew: a fingerprint guards against what others change
// at the same time.
func (s *backendService) Update(ctx context.Context) error {
	s.known = false
	if err := s.get(ctx); err != nil {
		return err
	}
	if s.found == nil {
		return errors.New("it has been deleted meanwhile; the same command plans anew")
	}
	wanted := s.wanted(s.found.Backends)
	wanted.Fingerprint = s.found.Fingerprint
	return s.change(ctx, "regionBackendServices.patch", func(ctx context.Context, id string) (*compute.Operation, error) {
		return s.RegionBackendServices.Patch(s.project, s.region, s.cfg.BackendService, wanted).RequestId(id).Context(ctx).Do()
	})
}

func (s *backendService) Delete(ctx context.Context) error {
	return s.change(ctx, "regionBackendServices.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
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
		answer, err := call(ctx, s.client, "regionBackendServices.getHealth", func(ctx context.Context) (*compute.BackendServiceGroupHealth, error) {
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
