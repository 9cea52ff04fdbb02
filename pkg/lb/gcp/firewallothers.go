// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"google.golang.org/api/compute/v1"
)

const ingress = "INGRESS"

// others are the rules of the network for what comes in, without ours and those
// that are off.
func (f *firewallRule) others(ctx context.Context) ([]*compute.Firewall, error) {
	var all []*compute.Firewall
	for token := ""; ; {
		page, err := call(ctx, f.client, "firewalls.list", func(ctx context.Context) (*compute.FirewallList, error) {
			return f.Firewalls.List(f.project).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return nil, err
		}
		for _, rule := range page.Items {
			if rule.Name != f.cfg.FirewallRule && path.Base(rule.Network) == f.cfg.Network && rule.Direction == ingress && !rule.Disabled {
				all = append(all, rule)
			}
		}
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

// denial says which rule keeps the health checks out of every instance before
// ours lets them in, or is "". Of two rules of one priority, the one that denies
// counts.
func (f *firewallRule) denial(others []*compute.Firewall) string {
	for _, rule := range others {
		everywhere := len(rule.TargetTags) == 0 && len(rule.TargetServiceAccounts) == 0
		if everywhere && rule.Priority <= int64(f.cfg.FirewallPriority) && f.denies(rule) {
			return fmt.Sprintf("firewall rule %s (priority %d) keeps the health checks out before this one (priority %d) lets them in; lower --firewall-priority below %d, or delete %s",
				rule.Name, rule.Priority, f.cfg.FirewallPriority, rule.Priority, rule.Name)
		}
	}
	return ""
}

func (f *firewallRule) denies(rule *compute.Firewall) bool {
	return slices.ContainsFunc(rule.Denied, func(d *compute.FirewallDenied) bool {
		return isTCP(d.IPProtocol, d.Ports, f.cfg.HealthCheckPort)
	}) && slices.ContainsFunc(f.cfg.SourceRanges, func(ours string) bool {
		return slices.ContainsFunc(rule.SourceRanges, func(theirs string) bool { return overlap(theirs, ours) })
	})
}

// beside names the rules of others that let more in to the health checks' port
// than ours does, and says so if no rule at all lets clients in.
func (f *firewallRule) beside(others []*compute.Firewall) []string {
	var said []string
	clients := false
	for _, rule := range others {
		clients = clients || allows(rule, f.cfg.Port)
		if !allows(rule, f.cfg.HealthCheckPort) {
			continue
		}
		for _, theirs := range rule.SourceRanges {
			if slices.ContainsFunc(f.cfg.SourceRanges, func(ours string) bool { return wider(theirs, ours) }) {
				said = append(said, fmt.Sprintf("firewall rule %s lets %s in on %s too; it stays", rule.Name, theirs, strings.Join(allowed(rule), ", ")))
			}
		}
	}
	if !clients {
		said = append(said, fmt.Sprintf("no firewall rule of network %s lets clients in on tcp:%d; lab chapter 3 makes one, kubernetes-the-hard-way-allow-external", f.cfg.Network, f.cfg.Port))
	}
	return said
}

func allows(rule *compute.Firewall, port int32) bool {
	return slices.ContainsFunc(rule.Allowed, func(a *compute.FirewallAllowed) bool { return isTCP(a.IPProtocol, a.Ports, port) })
}

// isTCP reports whether a protocol of a rule, by name or number, and its ports,
// none of which is all, have a port of TCP.
func isTCP(name string, ports []string, port int32) bool {
	if !slices.Contains([]string{"tcp", "6", "all"}, strings.ToLower(name)) {
		return false
	}
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p string) bool { return inRange(p, port) })
}

// wider reports whether one range has all addresses of another, and more.
func wider(theirs, ours string) bool {
	t, err1 := netip.ParsePrefix(theirs)
	o, err2 := netip.ParsePrefix(ours)
	return err1 == nil && err2 == nil && t.Overlaps(o) && t.Bits() < o.Bits()
}

func overlap(theirs, ours string) bool {
	t, err1 := netip.ParsePrefix(theirs)
	o, err2 := netip.ParsePrefix(ours)
	return err1 == nil && err2 == nil && t.Overlaps(o)
}
