// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// firewall is the balancer's security group and, with Create, the rules of the
// lab's chapter 3 that let clients to the balancer and the balancer to the
// controllers.
type firewall struct {
	resources []lb.Resource
	balancers *securityGroup
}

func newFirewall(a *account, c Config, network *vpc, subnets []*subnet) firewall {
	external := &securityGroup{account: a, vpc: network, name: c.SecurityGroup, flag: "--security-group", create: c.Create}
	f := firewall{resources: []lb.Resource{external}, balancers: external}
	if !c.Create {
		return f
	}
	for _, cidr := range c.AllowFrom {
		f.resources = append(f.resources, &ingress{into: external, port: c.Port, cidr: cidr})
	}
	internal := &securityGroup{account: a, vpc: network, name: c.ControllerGroup, flag: "--controller-security-group"}
	api := &ingress{into: internal, port: c.Port, from: external}
	if c.Type == Classic {
		// It connects from its own addresses; an NLB leaves the client's as they are.
		api.subnets = subnets
	}
	f.resources = append(f.resources, internal, api)
	if check := c.HealthCheck.parts(); check.port != c.Port {
		f.resources = append(f.resources, &ingress{into: internal, port: check.port, from: external, subnets: subnets})
	}
	return f
}

// securityGroup is one group of the VPC, by its name.
type securityGroup struct {
	*account
	vpc        *vpc
	name, flag string
	create     bool

	id     string
	listed bool
	rules  []types.SecurityGroupRule
}

func (g *securityGroup) Kind() string { return "security group" }
func (g *securityGroup) Name() string { return g.name }

// label names it in a change even before it exists.
func (g *securityGroup) label() string {
	if g.id == "" {
		return g.name
	}
	return g.id
}

func (g *securityGroup) Read(ctx context.Context) (lb.State, error) {
	if g.vpc.id == "" {
		return lb.State{}, nil
	}
	out, err := g.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: []types.Filter{filter("vpc-id", g.vpc.id), filter("group-name", g.name)},
	})
	if err != nil {
		return lb.State{}, err
	}
	// A group's name is unique in its VPC.
	for _, found := range out.SecurityGroups {
		g.id = awssdk.ToString(found.GroupId)
		state := lb.State{Exists: true, ID: g.id, Given: !g.create, Ours: tag(found.Tags, lb.OwnerKey) == lb.Owner}
		if !state.Ours {
			state.Keep = "not made by " + lb.Owner
		}
		return state, nil
	}
	if g.create {
		return lb.State{}, nil
	}
	return lb.State{Problem: "no security group of the VPC has this name; name yours with " + g.flag}, nil
}

func (g *securityGroup) Create(ctx context.Context) error {
	out, err := g.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		VpcId: &g.vpc.id, GroupName: &g.name, Description: &g.name,
		TagSpecifications: tags(types.ResourceTypeSecurityGroup, ""),
	})
	if err != nil {
		return err
	}
	g.id = awssdk.ToString(out.GroupId)
	seen := ec2.NewSecurityGroupExistsWaiter(g.ec2.DescribeSecurityGroups, func(o *ec2.SecurityGroupExistsWaiterOptions) { o.MinDelay, o.MaxDelay = g.pause/5, g.pause })
	return seen.Wait(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{g.id}}, g.patience)
}

// Update is never called: a group has nothing that is changed.
func (g *securityGroup) Update(context.Context) error { return errGiven }

func (g *securityGroup) Delete(ctx context.Context) error {
	return g.whileInUse(ctx, func() error {
		_, err := g.ec2.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &g.id})
		return err
	})
}

// list reads the group's rules once.
func (g *securityGroup) list(ctx context.Context) ([]types.SecurityGroupRule, error) {
	if g.listed || g.id == "" {
		return g.rules, nil
	}
	pages := ec2.NewDescribeSecurityGroupRulesPaginator(g.ec2.DescribeSecurityGroupRules, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", g.id)}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		g.rules = append(g.rules, page.SecurityGroupRules...)
	}
	g.listed = true
	return g.rules, nil
}

// ingress is one TCP port of a group that is open to an address range or to
// another group. A wider rule of the user's will do.
type ingress struct {
	into *securityGroup
	port int32
	cidr string
	// from is the other group. A rule for the addresses of all its subnets will do
	// as well, if there are any.
	from    *securityGroup
	subnets []*subnet

	found types.SecurityGroupRule
}

func (r *ingress) Kind() string { return "security group rule" }

func (r *ingress) Name() string {
	source := r.cidr
	if r.from != nil {
		source = r.from.name
	}
	return fmt.Sprintf("tcp/%d from %s into %s", r.port, source, r.into.name)
}

func (r *ingress) Read(ctx context.Context) (lb.State, error) {
	rules, err := r.into.list(ctx)
	if err != nil {
		return lb.State{}, err
	}
	state := lb.State{}
	for _, rule := range rules {
		if !r.coveredBy(rule) {
			continue
		}
		ours := tag(rule.Tags, lb.OwnerKey) == lb.Owner
		if state.Exists && !ours {
			continue
		}
		r.found = rule
		state = lb.State{Exists: true, ID: awssdk.ToString(rule.SecurityGroupRuleId), Ours: ours}
		if !ours {
			state.Keep = "not made by " + lb.Owner
		}
	}
	return state, nil
}

func (r *ingress) coveredBy(rule types.SecurityGroupRule) bool {
	if awssdk.ToBool(rule.IsEgress) {
		return false
	}
	switch awssdk.ToString(rule.IpProtocol) {
	case "-1":
	case "tcp":
		if awssdk.ToInt32(rule.FromPort) > r.port || awssdk.ToInt32(rule.ToPort) < r.port {
			return false
		}
	default:
		return false
	}
	open := awssdk.ToString(rule.CidrIpv4)
	if r.from == nil {
		return contains(open, r.cidr)
	}
	if info := rule.ReferencedGroupInfo; info != nil && r.from.id != "" && awssdk.ToString(info.GroupId) == r.from.id {
		return true
	}
	for _, s := range r.subnets {
		if !contains(open, s.cidr) {
			return false
		}
	}
	return len(r.subnets) > 0
}

func (r *ingress) Create(ctx context.Context) error {
	permission := types.IpPermission{IpProtocol: awssdk.String("tcp"), FromPort: &r.port, ToPort: &r.port}
	if r.from != nil {
		permission.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &r.from.id}}
	} else {
		permission.IpRanges = []types.IpRange{{CidrIp: &r.cidr}}
	}
	_, err := r.into.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId:           &r.into.id,
		IpPermissions:     []types.IpPermission{permission},
		TagSpecifications: tags(types.ResourceTypeSecurityGroupRule, ""),
	})
	if hasCode(err, "InvalidPermission.Duplicate") {
		return nil
	}
	return err
}

// Update is never called: a rule is there or it is not.
func (r *ingress) Update(context.Context) error { return errGiven }

// Delete revokes what was found, which may be wider than what is wanted.
func (r *ingress) Delete(ctx context.Context) error {
	permission := types.IpPermission{IpProtocol: r.found.IpProtocol, FromPort: r.found.FromPort, ToPort: r.found.ToPort}
	if group := r.found.ReferencedGroupInfo; group != nil {
		permission.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: group.GroupId}}
	} else {
		permission.IpRanges = []types.IpRange{{CidrIp: r.found.CidrIpv4}}
	}
	_, err := r.into.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
		GroupId: &r.into.id, IpPermissions: []types.IpPermission{permission},
	})
	if hasCode(err, "InvalidPermission.NotFound") {
		return nil
	}
	return err
}
