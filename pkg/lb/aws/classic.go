// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// classic is the lab's load balancer: chapter 3's, which is made and changed with
// Create only.
type classic struct {
	*account
	cfg         Config
	vpc         *vpc
	subnets     []*subnet
	group       *securityGroup
	controllers *controllers

	// found is what is there, if anything.
	found *types.LoadBalancerDescription
	// tags are its tags, which are asked for with Create only.
	tags map[string]string
	dns  string
	keep string
}

func (c *classic) Kind() string    { return "load balancer" }
func (c *classic) Name() string    { return c.cfg.LoadBalancer }
func (c *classic) address() string { return c.dns }
func (c *classic) state() string   { return "" }
func (c *classic) kept() bool      { return c.keep != "" }
func (c *classic) ours() bool      { return c.tags[lb.OwnerKey] == lb.Owner }

func (c *classic) Read(ctx context.Context) (lb.State, error) {
	out, err := c.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{c.cfg.LoadBalancer}})
	if hasCode(err, "LoadBalancerNotFound", "AccessPointNotFound") || err == nil && len(out.LoadBalancerDescriptions) == 0 {
		return c.absent(ctx)
	}
	if err != nil {
		return lb.State{}, err
	}
	c.found = &out.LoadBalancerDescriptions[0]
	c.dns = awssdk.ToString(c.found.DNSName)
	state := lb.State{Exists: true, ReadOnly: !c.cfg.Create, Problem: c.misplaced()}
	if state.Unmanaged, err = c.controllers.unmanaged(ctx, c.members()); err != nil {
		return lb.State{}, err
	}
	if c.cfg.Create {
		if c.tags, err = c.readTags(ctx); err != nil {
			return lb.State{}, err
		}
		state.Ours, state.Changes = c.ours(), c.changes()
	}
	for _, l := range c.otherListeners() {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("load balancer %s listens on %s too, for %s", c.cfg.LoadBalancer, port(l), backend(l)))
	}
	return state, nil
}

func (c *classic) absent(ctx context.Context) (lb.State, error) {
	if !c.cfg.Create {
		return lb.State{Problem: "there is no classic load balancer of this name (lab chapter 3 makes it); use --create, or name yours with --load-balancer"}, nil
	}
	problem, err := c.vpc.offline(ctx)
	return lb.State{Problem: problem}, err
}

// misplaced says in what it differs that cannot be changed, or "".
func (c *classic) misplaced() string {
	if at := awssdk.ToString(c.found.VPCId); at != c.vpc.id && c.vpc.id != "" {
		return fmt.Sprintf("it is in %s, and the controllers in %s; name another with --load-balancer or --vpc", at, c.vpc.id)
	}
	if scheme := awssdk.ToString(c.found.Scheme); c.cfg.Create && scheme != internetFacing {
		return fmt.Sprintf("it is %s and not %s, which cannot be changed; name another with --load-balancer", scheme, internetFacing)
	}
	return ""
}

// internetFacing is the scheme of both types of load balancer.
const internetFacing = "internet-facing"

func (c *classic) changes() []lb.Change {
	var changes []lb.Change
	if missing := missingSubnets(c.subnets, c.found.Subnets); len(missing) > 0 {
		changes = append(changes, lb.Change{Field: "subnets", Old: join(c.found.Subnets), New: join(append(slices.Clone(c.found.Subnets), missing...))})
	}
	if !slices.Contains(c.found.SecurityGroups, c.group.id) {
		changes = append(changes, lb.Change{Field: "security groups", Old: join(c.found.SecurityGroups), New: join(append(slices.Clone(c.found.SecurityGroups), c.group.label()))})
	}
	return changes
}

func (c *classic) readTags(ctx context.Context) (map[string]string, error) {
	out, err := c.elb.DescribeTags(ctx, &elb.DescribeTagsInput{LoadBalancerNames: []string{c.cfg.LoadBalancer}})
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for _, d := range out.TagDescriptions {
		for _, t := range d.Tags {
			tags[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
		}
	}
	return tags, nil
}

func (c *classic) Create(ctx context.Context) error {
	in := &elb.CreateLoadBalancerInput{
		LoadBalancerName: &c.cfg.LoadBalancer,
		Listeners:        []types.Listener{c.wantedListener()},
		SecurityGroups:   []string{c.group.id},
		Tags:             []types.Tag{{Key: awssdk.String(lb.OwnerKey), Value: awssdk.String(lb.Owner)}, c.listenerTag(c.cfg.Port)},
	}
	for _, s := range c.subnets {
		in.Subnets = append(in.Subnets, s.id)
	}
	out, err := c.elb.CreateLoadBalancer(ctx, in)
	if err != nil {
		return err
	}
	c.dns = awssdk.ToString(out.DNSName)
	c.found = &types.LoadBalancerDescription{ListenerDescriptions: []types.ListenerDescription{{Listener: &in.Listeners[0]}}}
	return nil
}

func (c *classic) Update(ctx context.Context) error {
	if missing := missingSubnets(c.subnets, c.found.Subnets); len(missing) > 0 {
		_, err := c.elb.AttachLoadBalancerToSubnets(ctx, &elb.AttachLoadBalancerToSubnetsInput{LoadBalancerName: &c.cfg.LoadBalancer, Subnets: missing})
		if err != nil {
			return err
		}
	}
	if slices.Contains(c.found.SecurityGroups, c.group.id) {
		return nil
	}
	_, err := c.elb.ApplySecurityGroupsToLoadBalancer(ctx, &elb.ApplySecurityGroupsToLoadBalancerInput{
		LoadBalancerName: &c.cfg.LoadBalancer, SecurityGroups: append(slices.Clone(c.found.SecurityGroups), c.group.id),
	})
	return err
}

func (c *classic) Delete(ctx context.Context) error {
	// Deleting one that is not there succeeds.
	_, err := c.elb.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerName: &c.cfg.LoadBalancer})
	return err
}

// Keep leaves a load balancer to those who use it too.
func (c *classic) Keep(ctx context.Context) (string, error) {
	if err := c.controllers.lookUp(ctx, c.members()); err != nil {
		return "", err
	}
	c.keep = c.needed()
	if others := c.controllers.others(c.members()); c.keep == "" && len(others) > 0 {
		c.keep = fmt.Sprintf("instance %s is registered too", others[0].brief())
	}
	return c.keep, nil
}

func (c *classic) Commands(a lb.Action) []string {
	name := "--load-balancer-name " + lb.Quote(c.cfg.LoadBalancer)
	switch a {
	case lb.Delete:
		return []string{line("elb delete-load-balancer", name)}
	case lb.Create:
		words := []string{"elb create-load-balancer", name, "--listeners", c.listenerWords(), "--subnets"}
		for _, s := range c.subnets {
			words = append(words, s.ref())
		}
		return []string{line(append(words, "--security-groups", c.group.ref(), "--tags", markTag, c.listenerTagWords(c.cfg.Port))...)}
	}
	var lines []string
	if missing := missingSubnets(c.subnets, c.found.Subnets); len(missing) > 0 {
		words := []string{"elb attach-load-balancer-to-subnets", name, "--subnets"}
		for _, s := range c.subnets {
			if !slices.Contains(c.found.Subnets, s.id) {
				words = append(words, s.ref())
			}
		}
		lines = append(lines, line(words...))
	}
	if !slices.Contains(c.found.SecurityGroups, c.group.id) {
		lines = append(lines, line(append([]string{"elb apply-security-groups-to-load-balancer", name, "--security-groups", c.group.ref()}, c.found.SecurityGroups...)...))
	}
	return lines
}

// missingSubnets are the IDs, or before they are made the names, of those that
// are not among the attached.
func missingSubnets(wanted []*subnet, attached []string) []string {
	var missing []string
	for _, s := range wanted {
		if !slices.Contains(attached, s.id) {
			missing = append(missing, s.label())
		}
	}
	return missing
}

// withSubnets adds the zones of the subnets; nil while one of them is not known.
func withSubnets(zones []string, subnets []*subnet) []string {
	all := slices.Clone(zones)
	for _, s := range subnets {
		zone := s.zone
		if zone == "" {
			zone = s.spec.Zone
		}
		if zone == "" {
			return nil
		}
		all = append(all, zone)
	}
	return all
}

func join(ids []string) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return strings.Join(ids, ",")
}
