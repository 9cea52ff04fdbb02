// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	others []*compute.ForwardingRule // of the region, by other names
	fixed  diff                      // what takes another rule to change
}

func (r *forwardingRule) Kind() string { return "forwarding rule" }
func (r *forwardingRule) Name() string { return r.cfg.ForwardingRule }
func (r *forwardingRule) tail() string { return r.regional("forwardingRules", r.cfg.ForwardingRule) }

// get reads the rule and those beside it once: others before it ask where they
// lead.
func (r *forwardingRule) get(ctx context.Context) error {
	if r.known {
		return nil
	}
	if err := r.list(ctx); err != nil {
		return err
	}
	return r.find(ctx, r.client, "forwardingRules.get", r.tail(), func(ctx context.Context) (*compute.ForwardingRule, error) {
		return r.ForwardingRules.Get(r.project, r.region, r.cfg.ForwardingRule).Context(ctx).Do()
	})
}

func (r *forwardingRule) list(ctx context.Context) error {
	r.others = nil
	for token := ""; ; {
		page, err := call(ctx, r.client, "forwardingRules.list", func(ctx context.Context) (*compute.ForwardingRuleList, error) {
			return r.ForwardingRules.List(r.project, r.region).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return err
		}
		for _, rule := range page.Items {
			if rule.Name != r.cfg.ForwardingRule {
				r.others = append(r.others, rule)
			}
		}
		if token = page.NextPageToken; token == "" {
			return nil
		}
	}
}

// target is the tail of what a rule leads to.
func target(rule *compute.ForwardingRule) string {
	if rule.BackendService != "" {
		return tail(rule.BackendService)
	}
	return tail(rule.Target)
}

// leadsElsewhere says to which other backend the rule leads, or is "". Then what
// it shares with ours is still in use.
func (r *forwardingRule) leadsElsewhere(ctx context.Context) (string, error) {
	if err := r.get(ctx); err != nil || r.found == nil || target(r.found) == r.backend.tail() {
		return "", err
	}
	return fmt.Sprintf("the load balancer at %s uses it", target(r.found)), nil
}

// usesStill says which load balancer or rule that a deletion leaves uses what comes
// with every load balancer, or is "".
func (r *forwardingRule) usesStill(ctx context.Context) (string, error) {
	if reason, err := r.leadsElsewhere(ctx); err != nil || reason != "" {
		return reason, err
	}
	return r.needs(ctx)
}

// needs says which rule that a deletion leaves leads to the backend, or is "".
func (r *forwardingRule) needs(ctx context.Context) (string, error) {
	if err := r.get(ctx); err != nil {
		return "", err
	}
	if r.found != nil && target(r.found) == r.backend.tail() && !marked(r.found.Description) {
		return fmt.Sprintf("forwarding rule %s, %s, needs it", r.cfg.ForwardingRule, lb.NotOurs), nil
	}
	for _, other := range r.others {
		if target(other) == r.backend.tail() {
			return fmt.Sprintf("forwarding rule %s needs it", other.Name), nil
		}
	}
	return "", nil
}

func (r *forwardingRule) Read(ctx context.Context) (lb.State, error) {
	if err := r.get(ctx); err != nil {
		return lb.State{}, err
	}
	state := lb.State{Unmanaged: r.beside()}
	if r.found == nil {
		state.Problem = r.conflict()
		return state, nil
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
	d.field("target", target(r.found), r.backend.tail())
	state.Exists, state.ID, state.Changes, state.Ours = true, r.found.IPAddress, d, marked(r.found.Description)
	if target(r.found) != r.backend.tail() {
		state.Keep = "it leads to " + target(r.found)
	}
	switch {
	case len(r.fixed) > 0 && !state.Ours:
		state.Problem = fmt.Sprintf("%s takes a new rule, and this one is somebody else's; delete it with gcloud compute forwarding-rules delete %s --region %s, or name another with --forwarding-rule",
			r.fixed[0], r.cfg.ForwardingRule, r.region)
	case len(r.fixed) > 0:
		state.Problem = r.conflict()
	}
	return state, nil
}

// beside are the other rules that lead to the backend.
func (r *forwardingRule) beside() []string {
	var all []string
	for _, other := range r.others {
		if target(other) == r.backend.tail() {
			all = append(all, fmt.Sprintf("forwarding rule %s leads %s:%s to %s too", other.Name, other.IPAddress, ports(other), r.backend.Name()))
		}
	}
	return all
}

// conflict says which other rule has the address and port already, or is "".
func (r *forwardingRule) conflict() string {
	for _, other := range r.others {
		if r.address.ip != "" && other.IPAddress == r.address.ip && covers(other, r.cfg.Port) {
			return fmt.Sprintf("forwarding rule %s has %s:%d already, and leads to %s; delete it with gcloud compute forwarding-rules delete %s --region %s, or adopt it with --forwarding-rule %s",
				other.Name, r.address.ip, r.cfg.Port, target(other), other.Name, r.region, other.Name)
		}
	}
	return ""
}

// covers reports whether a rule takes connections to a port.
func covers(rule *compute.ForwardingRule, port int32) bool {
	if rule.IPProtocol != protocolTCP {
		return false
	}
	if rule.AllPorts || rule.PortRange == "" && len(rule.Ports) == 0 {
		return true
	}
	return slices.ContainsFunc(append([]string{rule.PortRange}, rule.Ports...), func(r string) bool { return inRange(r, port) })
}

// inRange reports whether a port is the one or in the range that is written as
// the API does: 6443 or 6000-7000.
func inRange(text string, port int32) bool {
	first, last, ranged := strings.Cut(text, "-")
	var from, to int32
	if n, _ := fmt.Sscan(first, &from); n != 1 {
		return false
	}
	if to = from; ranged {
		if n, _ := fmt.Sscan(last, &to); n != 1 {
			return false
		}
	}
	return from <= port && port <= to
}

// ports are written as gcloud's --ports takes them.
func ports(r *compute.ForwardingRule) string {
	if r.AllPorts {
		return "ALL"
	}
	if len(r.Ports) > 0 {
		return joined(r.Ports)
	}
	if from, to, _ := strings.Cut(r.PortRange, "-"); from == to {
		return from
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
	return r.change(ctx, "forwardingRules.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
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
	return r.change(ctx, "forwardingRules.setTarget", func(ctx context.Context, id string) (*compute.Operation, error) {
		reference := &compute.TargetReference{Target: r.link(r.backend.tail())}
		return r.ForwardingRules.SetTarget(r.project, r.region, r.cfg.ForwardingRule, reference).RequestId(id).Context(ctx).Do()
	})
}

func (r *forwardingRule) Delete(ctx context.Context) error {
	return r.change(ctx, "forwardingRules.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
		return r.ForwardingRules.Delete(r.project, r.region, r.cfg.ForwardingRule).RequestId(id).Context(ctx).Do()
	})
}
