// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// forwardingRule is where the address and the port meet the backend.
type forwardingRule struct {
	*client
	cfg     Config
	address *reservedAddress
	backend backend

	once[compute.ForwardingRule]
	fixed diff // what takes another rule to change
}

func (r *forwardingRule) Kind() string { return "forwarding rule" }
func (r *forwardingRule) Name() string { return r.cfg.ForwardingRule }
func (r *forwardingRule) tail() string { return r.regional("forwardingRules", r.cfg.ForwardingRule) }

// get reads the rule once: others before it ask where it leads.
func (r *forwardingRule) get(ctx context.Context) error {
	return r.find(ctx, r.client, func(ctx context.Context) (*compute.ForwardingRule, error) {
		return r.ForwardingRules.Get(r.project, r.region, r.cfg.ForwardingRule).Context(ctx).Do()
	})
}

// target is the tail of what the rule leads to.
func (r *forwardingRule) target() string {
	if r.found.BackendService != "" {
		return tail(r.found.BackendService)
	}
	return tail(r.found.Target)
}

// leadsElsewhere says to which other backend the rule leads, or is "". Then what
// it shares with ours is still in use.
func (r *forwardingRule) leadsElsewhere(ctx context.Context) (string, error) {
	if err := r.get(ctx); err != nil || r.found == nil || r.target() == r.backend.tail() {
		return "", err
	}
	return fmt.Sprintf("the load balancer at %s uses it", r.target()), nil
}

func (r *forwardingRule) Read(ctx context.Context) (lb.State, error) {
	if err := r.get(ctx); err != nil || r.found == nil {
		return lb.State{}, err
	}
	r.fixed = nil
	r.fixed.field("scheme", r.found.LoadBalancingScheme, external)
	r.fixed.field("protocol", r.found.IPProtocol, protocolTCP)
	want := r.address.ip
	if want == "" {
		want = "the address to be reserved"
	}
	r.fixed.field("address", r.found.IPAddress, want)
	r.fixed.field("ports", ports(r.found), fmt.Sprint(r.cfg.Port))
	d := slices.Clone(r.fixed)
	for i := range d {
		d[i].Field += " (by a new rule)"
	}
	d.field("target", r.target(), r.backend.tail())
	state := lb.State{Exists: true, ID: r.found.IPAddress, Changes: d, Ours: r.found.Description == mark}
	if r.target() != r.backend.tail() {
		state.Keep = "it leads to " + r.target()
	}
	if len(r.fixed) > 0 && !state.Ours {
		state.Problem = fmt.Sprintf("%s takes a new rule, and this one is somebody else's; delete it with gcloud compute forwarding-rules delete %s --region %s, or name another with --forwarding-rule",
			r.fixed[0], r.cfg.ForwardingRule, r.region)
	}
	return state, nil
}

// ports are written as gcloud's --ports takes them.
func ports(r *compute.ForwardingRule) string {
	if r.AllPorts {
		return "ALL"
	}
	if len(r.Ports) > 0 {
		return joined(r.Ports)
	}
	var from, to int
	if n, _ := fmt.Sscanf(r.PortRange, "%d-%d", &from, &to); n == 2 && from == to {
		return fmt.Sprint(from)
	}
	return r.PortRange
}

func (r *forwardingRule) Create(ctx context.Context) error {
	r.known = false
	wanted := &compute.ForwardingRule{
		Name: r.cfg.ForwardingRule, Description: mark,
		IPAddress: r.address.ip, NetworkTier: r.address.tier, IPProtocol: protocolTCP, LoadBalancingScheme: external,
		PortRange: fmt.Sprint(r.cfg.Port),
	}
	if r.cfg.Type == BackendService {
		wanted.BackendService = r.link(r.backend.tail())
	} else {
		wanted.Target = r.link(r.backend.tail())
	}
	return r.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return r.ForwardingRules.Insert(r.project, r.region, wanted).RequestId(id).Context(ctx).Do()
	})
}

// Update moves a rule to another backend in place. Whatever else is wrong takes
// another rule, and there can be no two of one name: ours is deleted and made
// anew, which Read allows for no other. If that stops in between, another run
// finds none and makes it.
func (r *forwardingRule) Update(ctx context.Context) error {
	if len(r.fixed) > 0 {
		if err := r.Delete(ctx); err != nil && !absent(err) {
			return err
		}
		return r.Create(ctx)
	}
	return r.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetReference{Target: r.link(r.backend.tail())}
		return r.ForwardingRules.SetTarget(r.project, r.region, r.cfg.ForwardingRule, reference).RequestId(id).Context(ctx).Do()
	})
}

func (r *forwardingRule) Delete(ctx context.Context) error {
	return r.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return r.ForwardingRules.Delete(r.project, r.region, r.cfg.ForwardingRule).RequestId(id).Context(ctx).Do()
	})
}
