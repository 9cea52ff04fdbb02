// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"strings"

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
	external := &securityGroup{account: a, cfg: c, vpc: network, name: c.SecurityGroup, flag: "--security-group", create: c.Create}
	f := firewall{resources: []lb.Resource{external}, balancers: external}
	if !c.Create {
		return f
	}
	for _, cidr := range c.AllowFrom {
		f.resources = append(f.resources, &ingress{balancers: external, into: external, port: c.Port, cidr: cidr})
	}
	internal := &securityGroup{account: a, cfg: c, vpc: network, name: c.ControllerGroup, flag: "--controller-security-group"}
	api := &ingress{balancers: external, into: internal, port: c.Port, from: external}
	if c.Type == Classic {
		// It connects from its own addresses; an NLB leaves the client's as they are.
		api.subnets = subnets
	}
	f.resources = append(f.resources, internal, api)
	if check := c.HealthCheck.parts(); check.port != c.Port {
		f.resources = append(f.resources, &ingress{balancers: external, into: internal, port: check.port, from: external, subnets: subnets})
	}
	return f
}

// securityGroup is one group of the VPC, by its name.
type securityGroup struct {
	*account
	cfg        Config
	vpc        *vpc
	name, flag string
	create     bool

	id string
	// inUse says by what else, if anything, ours is used.
	inUse  string
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
	switch {
	case len(out.SecurityGroups) > 0:
		// Its name is unique in its VPC.
		return g.compare(ctx, out.SecurityGroups[0])
	case g.create:
		return lb.State{}, nil
	}
	return lb.State{Problem: "no security group of the VPC has this name; name yours with " + g.flag}, nil
}

func (g *securityGroup) compare(ctx context.Context, found types.SecurityGroup) (lb.State, error) {
	g.id = awssdk.ToString(found.GroupId)
	state := lb.State{Exists: true, ID: g.id, ReadOnly: !g.create, Ours: tag(found.Tags, lb.OwnerKey) == lb.Owner}
	if !state.Ours {
		state.Keep = "not made by " + lb.Owner
		return state, nil
	}
	users, err := g.users(ctx, g.cfg, filter("group-id", g.id))
	if len(users) > 0 {
		g.inUse = "in use by " + strings.Join(users, ", ")
	}
	state.Keep = g.inUse
	return state, err
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
	seen := ec2.NewSecurityGroupExistsWaiter(g.ec2.DescribeSecurityGroups, func(o *ec2.SecurityGroupExistsWaiterOptions) { o.MinDelay, o.MaxDelay = g.pace.Pause/5, g.pace.Pause })
	return seen.Wait(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{g.id}}, g.pace.Patience)
}

func (g *securityGroup) Delete(ctx context.Context) error {
	_, err := g.ec2.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &g.id})
	return err
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
