// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// firewallRule lets the health checks reach the controllers.
type firewallRule struct {
	*client
	cfg  Config
	rule *forwardingRule

	different diff
}

func (f *firewallRule) Kind() string { return "firewall rule" }
func (f *firewallRule) Name() string { return f.cfg.FirewallRule }
func (f *firewallRule) tail() string { return "global/firewalls/" + f.cfg.FirewallRule }

func (f *firewallRule) Read(ctx context.Context) (lb.State, error) {
	found, err := find(ctx, f.client, "firewalls.get", f.tail(), func(ctx context.Context) (*compute.Firewall, error) {
		return f.Firewalls.Get(f.project, f.cfg.FirewallRule).Context(ctx).Do()
	})
	if err != nil {
		return lb.State{}, err
	}
	others, err := f.others(ctx)
	if err != nil {
		return lb.State{}, err
	}
	state := lb.State{Problem: f.denial(others), Unmanaged: f.beside(others)}
	if found == nil {
		return state, nil
	}
	state.Exists, state.Ours = true, marked(found.Description)
	var fixed diff
	fixed.field("network", path.Base(found.Network), f.cfg.Network)
	fixed.field("direction", found.Direction, ingress)
	fixed.set("denied protocols", denials(found), nil)
	if len(fixed) > 0 {
		state.Changes = fixed
		state.Problem = fmt.Sprintf("%s cannot be changed; delete it with gcloud compute firewall-rules delete %s, or name another with --firewall-rule",
			fixed[0], f.cfg.FirewallRule)
		return state, nil
	}
	f.different = f.changes(found)
	state.Changes = f.different
	return state, nil
}

// Keep is part of lb.Keeper.
func (f *firewallRule) Keep(ctx context.Context) (string, error) { return f.rule.usesStill(ctx) }

func (f *firewallRule) changes(found *compute.Firewall) diff {
	var d diff
	d.set("source ranges", found.SourceRanges, f.cfg.SourceRanges)
	d.set("source tags", found.SourceTags, nil)
	d.set("source service accounts", found.SourceServiceAccounts, nil)
	d.set("destination ranges", found.DestinationRanges, nil)
	d.set("target tags", found.TargetTags, nil)
	d.set("target service accounts", found.TargetServiceAccounts, nil)
	d.set("allow", allowed(found), []string{"tcp"})
	d.number("priority", found.Priority, int64(f.cfg.FirewallPriority))
	d.field("disabled", fmt.Sprint(found.Disabled), "false")
	return d
}

func allowed(f *compute.Firewall) []string {
	var all []string
	for _, a := range f.Allowed {
		all = append(all, protocol(a.IPProtocol, a.Ports))
	}
	return all
}

func denials(f *compute.Firewall) []string {
	var all []string
	for _, d := range f.Denied {
		all = append(all, protocol(d.IPProtocol, d.Ports))
	}
	return all
}

// protocol is written as gcloud's --allow takes it.
func protocol(name string, ports []string) string {
	if len(ports) == 0 {
		return name
	}
	return name + ":" + strings.Join(ports, "+")
}

// wanted has no description: one that was made by hand does not become ours when
// it is changed.
func (f *firewallRule) wanted() *compute.Firewall {
	return &compute.Firewall{
		Name:            f.cfg.FirewallRule,
		Network:         f.link("global/networks/" + f.cfg.Network),
		Direction:       ingress,
		Priority:        int64(f.cfg.FirewallPriority),
		SourceRanges:    slices.Clone(f.cfg.SourceRanges),
		Allowed:         []*compute.FirewallAllowed{{IPProtocol: "tcp"}},
		ForceSendFields: []string{"Priority", "Disabled"},
	}
}

func (f *firewallRule) Create(ctx context.Context) error {
	wanted := f.wanted()
	wanted.Description = mark
	return f.change(ctx, "firewalls.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
		return f.Firewalls.Insert(f.project, wanted).RequestId(id).Context(ctx).Do()
	})
}

// Update also takes away what narrows the rule, or lets others in.
func (f *firewallRule) Update(ctx context.Context) error {
	wanted := f.wanted()
	wanted.NullFields = []string{"SourceTags", "SourceServiceAccounts", "DestinationRanges", "TargetTags", "TargetServiceAccounts"}
	return f.change(ctx, "firewalls.patch", func(ctx context.Context, id string) (*compute.Operation, error) {
		return f.Firewalls.Patch(f.project, f.cfg.FirewallRule, wanted).RequestId(id).Context(ctx).Do()
	})
}

func (f *firewallRule) Delete(ctx context.Context) error {
	return f.change(ctx, "firewalls.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
		return f.Firewalls.Delete(f.project, f.cfg.FirewallRule).RequestId(id).Context(ctx).Do()
	})
}
