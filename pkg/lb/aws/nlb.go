// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	target  *targetGroup

	found *types.LoadBalancer
	arn   string
	dns   string
	// all are its listeners; ours reports by ARN which bear the mark.
	all  []types.Listener
	ours map[string]bool
	keep string
}

func (b *networkBalancer) Kind() string    { return "network load balancer" }
func (b *networkBalancer) Name() string    { return b.cfg.LoadBalancer }
func (b *networkBalancer) address() string { return b.dns }
func (b *networkBalancer) kept() bool      { return b.keep != "" }

// ref names it in a command.
func (b *networkBalancer) ref() string {
	return reference(b.arn, variable("load_balancer", b.cfg.LoadBalancer))
}

func (b *networkBalancer) state() string {
	if b.found == nil || b.found.State == nil {
		return ""
	}
	return string(b.found.State.Code)
}

func (b *networkBalancer) Read(ctx context.Context) (lb.State, error) {
	out, err := b.elbv2.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{b.cfg.LoadBalancer}})
	if hasCode(err, "LoadBalancerNotFound") || err == nil && len(out.LoadBalancers) == 0 {
		problem, err := b.vpc.offline(ctx)
		return lb.State{Problem: problem}, err
	}
	if err != nil {
		return lb.State{}, err
	}
	b.found = &out.LoadBalancers[0]
	b.arn, b.dns = awssdk.ToString(b.found.LoadBalancerArn), awssdk.ToString(b.found.DNSName)
	if err := b.readListeners(ctx); err != nil {
		return lb.State{}, err
	}
	state := lb.State{Exists: true, Problem: b.drift(), Changes: b.changes(), Ours: b.ours[b.arn]}
	if s := b.state(); s != "" && s != string(types.LoadBalancerStateEnumActive) {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("load balancer %s is %s: AWS is still at work on it", b.cfg.LoadBalancer, s))
	}
	if len(b.found.SecurityGroups) == 0 {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("load balancer %s was made without a security group and can be given none: the controllers' own group has to let its clients in", b.cfg.LoadBalancer))
	}
	for _, l := range b.otherListeners() {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("load balancer %s listens on %s too, for %s", b.cfg.LoadBalancer, portOf(l), targetOf(l)))
	}
	return state, nil
}

// readListeners reads all listeners, and which of them and of itself are ours.
func (b *networkBalancer) readListeners(ctx context.Context) error {
	b.all = nil
	arns := []string{b.arn}
	pages := elb.NewDescribeListenersPaginator(b.elbv2, &elb.DescribeListenersInput{LoadBalancerArn: &b.arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, l := range page.Listeners {
			b.all = append(b.all, l)
			arns = append(arns, awssdk.ToString(l.ListenerArn))
		}
	}
	var err error
	b.ours, err = b.marked(ctx, arns...)
	return err
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

// wantsGroup reports whether the group is missing among those it has; one that
// was made without any takes none.
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

// Keep leaves a load balancer to those who use it too.
func (b *networkBalancer) Keep(context.Context) (string, error) {
	if others := b.otherListeners(); len(others) > 0 {
		b.keep = fmt.Sprintf("its listener on %s is %s", portOf(others[0]), lb.NotOurs)
	}
	return b.keep, nil
}

func (b *networkBalancer) Commands(a lb.Action) []string {
	var subnets []string
	for _, s := range b.subnets {
		subnets = append(subnets, s.ref())
	}
	switch a {
	case lb.Delete:
		return []string{line("elbv2 delete-load-balancer --load-balancer-arn", b.arn), line("elbv2 wait load-balancers-deleted --load-balancer-arns", b.arn)}
	case lb.Create:
		return []string{capture(variable("load_balancer", b.cfg.LoadBalancer), "LoadBalancers[0].LoadBalancerArn", "elbv2 create-load-balancer --name", lb.Quote(b.cfg.LoadBalancer),
			"--type network --scheme", internetFacing, "--subnets", strings.Join(subnets, " "), "--security-groups", b.group.ref(), "--tags", markTag)}
	}
	var lines []string
	if len(missingSubnets(b.subnets, b.attached())) > 0 {
		kept := slices.DeleteFunc(b.attached(), func(id string) bool { return slices.Contains(subnets, id) })
		lines = append(lines, line(append([]string{"elbv2 set-subnets --load-balancer-arn", b.arn, "--subnets"}, append(kept, subnets...)...)...))
	}
	if b.wantsGroup() {
		lines = append(lines, line(append([]string{"elbv2 set-security-groups --load-balancer-arn", b.arn, "--security-groups", b.group.ref()}, b.found.SecurityGroups...)...))
	}
	return lines
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
