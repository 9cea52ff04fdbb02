// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// firewall is the balancer's security group and, with Create, the rules of the
// lab's chapter 3 that let clients to the balancer and the balancer to the
// controllers.
type firewall struct {
	cfg                    Config
	resources              []lb.Resource
	balancers, controllers *securityGroup
	rules                  []*ingress
	usage                  *usage
}

func newFirewall(a *account, c Config, network *vpc, use *usage, subnets []*subnet) *firewall {
	external := &securityGroup{account: a, vpc: network, usage: use, name: c.SecurityGroup, flag: "--security-group", create: c.Create}
	f := &firewall{cfg: c, usage: use, balancers: external, resources: []lb.Resource{external}}
	if !c.Create {
		return f
	}
	external.wider = f.wider
	for _, cidr := range c.AllowFrom {
		f.add(&ingress{into: external, port: c.Port, cidr: cidr})
	}
	f.controllers = &securityGroup{account: a, vpc: network, usage: use, name: c.ControllerGroup, flag: "--controller-security-group"}
	f.resources = append(f.resources, f.controllers)
	api := &ingress{into: f.controllers, port: c.Port, from: external}
	if c.Type == Classic {
		// It connects from its own addresses; an NLB leaves the client's as they are.
		api.subnets = subnets
	}
	f.add(api)
	if check := c.HealthCheck.parts(); check.port != c.Port {
		f.add(&ingress{into: f.controllers, port: check.port, from: external, subnets: subnets})
	}
	return f
}

func (f *firewall) add(r *ingress) {
	r.balancers = f.balancers
	f.rules, f.resources = append(f.rules, r), append(f.resources, r)
}

// wider says which rules of others let in clients that AllowFrom does not.
func (f *firewall) wider(ctx context.Context) ([]string, error) {
	rules, err := f.balancers.list(ctx)
	var said []string
	for _, rule := range rules {
		wanted := slices.ContainsFunc(f.cfg.AllowFrom, func(cidr string) bool { return contains(cidr, source(rule)) })
		if marked(rule.Tags) || !opens(rule, f.cfg.Port) || wanted {
			continue
		}
		said = append(said, fmt.Sprintf("%s lets %s in on %s too, and is %s; it stays", awssdk.ToString(rule.SecurityGroupRuleId), source(rule), portsOf(rule), lb.NotOurs))
	}
	return said, err
}

// findStale are the rules of ours for another port or other clients. While
// another load balancer uses the group, they may be that one's.
func (f *firewall) findStale(ctx context.Context) ([]lb.Resource, error) {
	var all []lb.Resource
	for _, group := range []*securityGroup{f.balancers, f.controllers} {
		rules, err := group.list(ctx)
		if err != nil {
			return nil, err
		}
		for _, rule := range rules {
			if !f.isStale(group, rule) {
				continue
			}
			keep, err := f.usage.balancers(ctx, f.balancers.id)
			if err != nil {
				return nil, err
			}
			all = append(all, &stale{
				kind: ruleKind, name: ruleName(portsOf(rule), f.named(rule), group), id: awssdk.ToString(rule.SecurityGroupRuleId), keep: keep,
				delete: func(ctx context.Context) error { return group.revoke(ctx, rule) },
				line:   func() string { return group.revokeLine(rule) },
			})
		}
	}
	return all, nil
}

// isStale reports whether a rule is ours, for this balancer, and none of those
// that are wanted.
func (f *firewall) isStale(group *securityGroup, rule types.SecurityGroupRule) bool {
	if !marked(rule.Tags) || group == f.controllers && source(rule) != f.balancers.id {
		return false
	}
	return !slices.ContainsFunc(f.rules, func(r *ingress) bool { return r.into == group && r.equals(rule) })
}

// named is whom a rule lets in, by name where that is known.
func (f *firewall) named(rule types.SecurityGroupRule) string {
	if s := source(rule); s != f.balancers.id {
		return s
	}
	return f.balancers.name
}
