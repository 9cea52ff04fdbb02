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
	ours  bool
	dns   string
}

func (c *classic) Kind() string    { return "load balancer" }
func (c *classic) Name() string    { return c.cfg.LoadBalancer }
func (c *classic) address() string { return c.dns }

func (c *classic) Read(ctx context.Context) (lb.State, error) {
	out, err := c.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{c.cfg.LoadBalancer}})
	if hasCode(err, "LoadBalancerNotFound", "AccessPointNotFound") || err == nil && len(out.LoadBalancerDescriptions) == 0 {
		if c.cfg.Create {
			return lb.State{}, nil
		}
		return lb.State{Problem: "there is no classic load balancer of this name (lab chapter 3 makes it); use --create, or name yours with --load-balancer"}, nil
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
	if !c.cfg.Create {
		if c.listener() == nil {
			state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("load balancer %s does not listen on %d, so nobody is served; --create adds that", c.cfg.LoadBalancer, c.cfg.Port))
		}
		return state, nil
	}
	if c.ours, err = c.tagged(ctx); err != nil {
		return lb.State{}, err
	}
	state.Ours = c.ours
	if !c.ours {
		state.Keep = "not made by " + lb.Owner
	}
	state.Changes = c.changes()
	return state, nil
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

func (c *classic) tagged(ctx context.Context) (bool, error) {
	out, err := c.elb.DescribeTags(ctx, &elb.DescribeTagsInput{LoadBalancerNames: []string{c.cfg.LoadBalancer}})
	if err != nil {
		return false, err
	}
	for _, d := range out.TagDescriptions {
		for _, t := range d.Tags {
			if awssdk.ToString(t.Key) == lb.OwnerKey && awssdk.ToString(t.Value) == lb.Owner {
				return true, nil
			}
		}
	}
	return false, nil
}

// listener is the one on the port, or nil.
func (c *classic) listener() *types.Listener {
	if c.found == nil {
		return nil
	}
	for _, d := range c.found.ListenerDescriptions {
		if d.Listener.LoadBalancerPort == c.cfg.Port {
			return d.Listener
		}
	}
	return nil
}

func (c *classic) wantedListener() types.Listener {
	return types.Listener{
		Protocol: awssdk.String("TCP"), LoadBalancerPort: c.cfg.Port,
		InstanceProtocol: awssdk.String("TCP"), InstancePort: &c.cfg.Port,
	}
}

func (c *classic) Create(ctx context.Context) error {
	in := &elb.CreateLoadBalancerInput{
		LoadBalancerName: &c.cfg.LoadBalancer,
		Listeners:        []types.Listener{c.wantedListener()},
		SecurityGroups:   []string{c.group.id},
		Tags:             []types.Tag{{Key: awssdk.String(lb.OwnerKey), Value: awssdk.String(lb.Owner)}},
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

func (c *classic) members() []string {
	if c.found == nil {
		return nil
	}
	var ids []string
	for _, i := range c.found.Instances {
		ids = append(ids, awssdk.ToString(i.InstanceId))
	}
	slices.Sort(ids)
	return ids
}

func (c *classic) zones() []string {
	var zones []string
	if c.found != nil {
		zones = c.found.AvailabilityZones
	}
	return withSubnets(zones, c.subnets)
}

func (c *classic) register(ctx context.Context, id string) error {
	_, err := c.elb.RegisterInstancesWithLoadBalancer(ctx, &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: &c.cfg.LoadBalancer, Instances: []types.Instance{{InstanceId: &id}},
	})
	return err
}

func (c *classic) deregister(ctx context.Context, id string) error {
	_, err := c.elb.DeregisterInstancesFromLoadBalancer(ctx, &elb.DeregisterInstancesFromLoadBalancerInput{
		LoadBalancerName: &c.cfg.LoadBalancer, Instances: []types.Instance{{InstanceId: &id}},
	})
	return err
}

func (c *classic) health(ctx context.Context) (map[string]lb.InstanceHealth, error) {
	out, err := c.elb.DescribeInstanceHealth(ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: &c.cfg.LoadBalancer})
	if err != nil {
		return nil, err
	}
	all := map[string]lb.InstanceHealth{}
	for _, s := range out.InstanceStates {
		id, reason := awssdk.ToString(s.InstanceId), awssdk.ToString(s.Description)
		if reason == "N/A" {
			reason = ""
		}
		all[id] = lb.InstanceHealth{ID: id, State: awssdk.ToString(s.State), InService: awssdk.ToString(s.State) == "InService", Reason: reason}
	}
	return all, nil
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
