// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// networkBalancer is a network load balancer.
type networkBalancer struct {
	*account
	cfg     Config
	vpc     *vpc
	subnets []*subnet
	group   *securityGroup

	found *types.LoadBalancer
	arn   string
	dns   string
}

func (b *networkBalancer) Kind() string    { return "network load balancer" }
func (b *networkBalancer) Name() string    { return b.cfg.LoadBalancer }
func (b *networkBalancer) address() string { return b.dns }

func (b *networkBalancer) Read(ctx context.Context) (lb.State, error) {
	out, err := b.elbv2.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{b.cfg.LoadBalancer}})
	if hasCode(err, "LoadBalancerNotFound") || err == nil && len(out.LoadBalancers) == 0 {
		return lb.State{}, nil
	}
	if err != nil {
		return lb.State{}, err
	}
	b.found = &out.LoadBalancers[0]
	b.arn, b.dns = awssdk.ToString(b.found.LoadBalancerArn), awssdk.ToString(b.found.DNSName)
	state := lb.State{Exists: true, Problem: b.drift(), Changes: b.changes()}
	if state.Ours, err = b.tagged(ctx, b.arn); err != nil {
		return lb.State{}, err
	}
	if !state.Ours {
		state.Keep = "not made by " + lb.Owner
	}
	if len(b.found.SecurityGroups) == 0 {
		state.Unmanaged = []string{fmt.Sprintf("load balancer %s was made without a security group and can be given none: the controllers' own group has to let its clients in", b.cfg.LoadBalancer)}
	}
	return state, nil
}

// drift says in what it differs that cannot be changed, or "".
func (b *networkBalancer) drift() string {
	const other = ", which cannot be changed; name another with --load-balancer"
	switch at := awssdk.ToString(b.found.VpcId); {
	case b.found.Type != types.LoadBalancerTypeEnumNetwork:
		return fmt.Sprintf("it is of type %s and not network%s", b.found.Type, other)
	case b.found.Scheme != types.LoadBalancerSchemeEnumInternetFacing:
		return fmt.Sprintf("it is %s and not %s%s", b.found.Scheme, internetFacing, other)
	case at != b.vpc.id && b.vpc.id != "":
		return fmt.Sprintf("it is in %s, and the controllers in %s%s", at, b.vpc.id, other)
	}
	return ""
}

func (b *networkBalancer) attached() []string {
	var ids []string
	for _, z := range b.found.AvailabilityZones {
		ids = append(ids, awssdk.ToString(z.SubnetId))
	}
	return ids
}

func (b *networkBalancer) changes() []lb.Change {
	var changes []lb.Change
	if missing := missingSubnets(b.subnets, b.attached()); len(missing) > 0 {
		changes = append(changes, lb.Change{Field: "subnets", Old: join(b.attached()), New: join(append(b.attached(), missing...))})
	}
	if b.wantsGroup() {
		changes = append(changes, lb.Change{Field: "security groups", Old: join(b.found.SecurityGroups), New: join(append(slices.Clone(b.found.SecurityGroups), b.group.label()))})
	}
	return changes
}

// wantsGroup reports whether the group is missing among those it has; one that was
// made without any takes none.
func (b *networkBalancer) wantsGroup() bool {
	return len(b.found.SecurityGroups) > 0 && !slices.Contains(b.found.SecurityGroups, b.group.id)
}

func (b *networkBalancer) Create(ctx context.Context) error {
	in := &elb.CreateLoadBalancerInput{
		Name: &b.cfg.LoadBalancer, Type: types.LoadBalancerTypeEnumNetwork, Scheme: types.LoadBalancerSchemeEnumInternetFacing,
		SecurityGroups: []string{b.group.id},
		Tags:           nlbTags(),
	}
	for _, s := range b.subnets {
		in.Subnets = append(in.Subnets, s.id)
	}
	out, err := b.elbv2.CreateLoadBalancer(ctx, in)
	if err != nil {
		return err
	}
	b.arn, b.dns = awssdk.ToString(out.LoadBalancers[0].LoadBalancerArn), awssdk.ToString(out.LoadBalancers[0].DNSName)
	return nil
}

func (b *networkBalancer) Update(ctx context.Context) error {
	if missing := missingSubnets(b.subnets, b.attached()); len(missing) > 0 {
		_, err := b.elbv2.SetSubnets(ctx, &elb.SetSubnetsInput{LoadBalancerArn: &b.arn, Subnets: append(b.attached(), missing...)})
		if err != nil {
			return err
		}
	}
	if !b.wantsGroup() {
		return nil
	}
	_, err := b.elbv2.SetSecurityGroups(ctx, &elb.SetSecurityGroupsInput{
		LoadBalancerArn: &b.arn, SecurityGroups: append(slices.Clone(b.found.SecurityGroups), b.group.id),
	})
	return err
}

func (b *networkBalancer) Delete(ctx context.Context) error {
	if _, err := b.elbv2.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &b.arn}); err != nil {
		return err
	}
	gone := elb.NewLoadBalancersDeletedWaiter(b.elbv2, func(o *elb.LoadBalancersDeletedWaiterOptions) { o.MinDelay, o.MaxDelay = b.pace.Pause/5, b.pace.Pause })
	return gone.Wait(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{b.arn}}, b.pace.Patience)
}

func (b *networkBalancer) zones() []string {
	var zones []string
	if b.found != nil {
		for _, z := range b.found.AvailabilityZones {
			zones = append(zones, awssdk.ToString(z.ZoneName))
		}
	}
	return withSubnets(zones, b.subnets)
}

// nlbCrossZone lets every zone's address of the balancer reach the controllers
// of all zones. The API leaves it off.
type nlbCrossZone struct{ balancer *networkBalancer }

// crossZoneKey is the attribute's name.
const crossZoneKey = "load_balancing.cross_zone.enabled"

func (z *nlbCrossZone) Kind() string { return "cross-zone balancing" }
func (z *nlbCrossZone) Name() string { return z.balancer.cfg.LoadBalancer }

func (z *nlbCrossZone) Read(ctx context.Context) (lb.State, error) {
	if z.balancer.found == nil {
		return lb.State{}, nil
	}
	out, err := z.balancer.elbv2.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &z.balancer.arn})
	if err != nil {
		return lb.State{}, err
	}
	is := "false"
	for _, a := range out.Attributes {
		if awssdk.ToString(a.Key) == crossZoneKey {
			is = awssdk.ToString(a.Value)
		}
	}
	return lb.State{Exists: true, Keep: keepSetting, Changes: differences(field{"enabled", is, "true"})}, nil
}

func (z *nlbCrossZone) Create(ctx context.Context) error { return z.Update(ctx) }

func (z *nlbCrossZone) Update(ctx context.Context) error {
	_, err := z.balancer.elbv2.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerArn: &z.balancer.arn,
		Attributes:      []types.LoadBalancerAttribute{{Key: awssdk.String(crossZoneKey), Value: awssdk.String("true")}},
	})
	return err
}

// nlbListener forwards the port to the target group.
type nlbListener struct {
	balancer *networkBalancer
	target   *targetGroup

	arn string
}

func (l *nlbListener) Kind() string { return "listener" }
func (l *nlbListener) Name() string { return "tcp/" + strconv.Itoa(int(l.balancer.cfg.Port)) }

func (l *nlbListener) Read(ctx context.Context) (lb.State, error) {
	if l.balancer.found == nil {
		return lb.State{}, nil
	}
	pages := elb.NewDescribeListenersPaginator(l.balancer.elbv2, &elb.DescribeListenersInput{LoadBalancerArn: &l.balancer.arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return lb.State{}, err
		}
		for _, found := range page.Listeners {
			if awssdk.ToInt32(found.Port) == l.balancer.cfg.Port {
				return l.compare(ctx, found)
			}
		}
	}
	return lb.State{}, nil
}

func (l *nlbListener) compare(ctx context.Context, found types.Listener) (lb.State, error) {
	l.arn = awssdk.ToString(found.ListenerArn)
	forwards := ""
	for _, a := range found.DefaultActions {
		forwards = awssdk.ToString(a.TargetGroupArn)
	}
	want := l.target.arn
	if want == "" {
		want = l.target.cfg.TargetGroup
	}
	state := lb.State{Exists: true, Changes: differences(
		field{"protocol", string(found.Protocol), string(types.ProtocolEnumTcp)},
		field{"target group", forwards, want},
	)}
	ours, err := l.balancer.tagged(ctx, l.arn)
	if state.Ours = ours; !ours {
		state.Keep = "not made by " + lb.Owner
	}
	return state, err
}

func (l *nlbListener) forward() []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &l.target.arn}}
}

func (l *nlbListener) Create(ctx context.Context) error {
	_, err := l.balancer.elbv2.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: &l.balancer.arn, Protocol: types.ProtocolEnumTcp, Port: &l.balancer.cfg.Port,
		DefaultActions: l.forward(), Tags: nlbTags(),
	})
	return err
}

func (l *nlbListener) Update(ctx context.Context) error {
	_, err := l.balancer.elbv2.ModifyListener(ctx, &elb.ModifyListenerInput{
		ListenerArn: &l.arn, Protocol: types.ProtocolEnumTcp, Port: &l.balancer.cfg.Port, DefaultActions: l.forward(),
	})
	return err
}

func (l *nlbListener) Delete(ctx context.Context) error {
	_, err := l.balancer.elbv2.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: &l.arn})
	if hasCode(err, "ListenerNotFound") {
		return nil
	}
	return err
}

func nlbTags() []types.Tag {
	return []types.Tag{{Key: awssdk.String(lb.OwnerKey), Value: awssdk.String(lb.Owner)}}
}

// tagged reports whether one of a load balancer, a listener or a target group bears
// our mark.
func (a *account) tagged(ctx context.Context, arn string) (bool, error) {
	out, err := a.elbv2.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{arn}})
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
