// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// securityGroup is one group of the VPC, by its name.
type securityGroup struct {
	*account
	vpc        *vpc
	usage      *usage
	name, flag string
	create     bool
	// wider says which of its rules, if it has any for the port, let in more than
	// is wanted; nil does not ask.
	wider func(context.Context) ([]string, error)

	id string
	// kept says why a deletion leaves it, once it was asked.
	kept   string
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

// ref names it in a command.
func (g *securityGroup) ref() string { return reference(g.id, variable("group", g.name)) }

func (g *securityGroup) Read(ctx context.Context) (lb.State, error) {
	if g.vpc.id == "" {
		return lb.State{}, nil
	}
	out, err := g.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: append(filters("vpc-id", g.vpc.id), filters("group-name", g.name)...),
	})
	if err != nil {
		return lb.State{}, err
	}
	switch {
	case len(out.SecurityGroups) > 0:
		// Its name is unique in its VPC.
		found := out.SecurityGroups[0]
		g.id = awssdk.ToString(found.GroupId)
		state := lb.State{Exists: true, ID: g.id, ReadOnly: !g.create, Ours: marked(found.Tags)}
		if g.wider != nil {
			state.Unmanaged, err = g.wider(ctx)
		}
		return state, err
	case g.create:
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
	seen := ec2.NewSecurityGroupExistsWaiter(g.ec2.DescribeSecurityGroups, func(o *ec2.SecurityGroupExistsWaiterOptions) { o.MinDelay, o.MaxDelay = g.pace.Pause/5, g.pace.Pause })
	return seen.Wait(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{g.id}}, g.pace.Patience)
}

func (g *securityGroup) Delete(ctx context.Context) error {
	_, err := g.ec2.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &g.id})
	return err
}

func (g *securityGroup) Keep(ctx context.Context) (string, error) {
	if g.id == "" || g.kept != "" {
		return g.kept, nil
	}
	var err error
	g.kept, err = g.usage.all(ctx, "group-id", g.id)
	return g.kept, err
}

func (g *securityGroup) Commands(a lb.Action) []string {
	if a == lb.Delete {
		return []string{untilUnused(line("ec2 delete-security-group --group-id", g.id))}
	}
	name := lb.Quote(g.name)
	return []string{capture(variable("group", g.name), "GroupId", "ec2 create-security-group --group-name", name, "--description", name,
		"--vpc-id", g.vpc.id, markOption("security-group", ""))}
}

// list reads the group's rules once.
func (g *securityGroup) list(ctx context.Context) ([]types.SecurityGroupRule, error) {
	if g.listed || g.id == "" {
		return g.rules, nil
	}
	g.rules = nil
	pages := ec2.NewDescribeSecurityGroupRulesPaginator(g.ec2.DescribeSecurityGroupRules, &ec2.DescribeSecurityGroupRulesInput{Filters: filters("group-id", g.id)})
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
