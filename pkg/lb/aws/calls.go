// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// ec2Call is one operation of EC2.
type ec2Call[In, Out any] = func(context.Context, *In, ...func(*ec2.Options)) (*Out, error)

// ec2Calls are the operations of EC2 that are called. A *ec2.Client would do the
// same, and would be in the program with its more than 700 operations: whatever
// a value in an interface leads to may be called by reflection, and what may be
// called is linked. A function leads to nothing but itself.
type ec2Calls struct {
	AuthorizeSecurityGroupIngress ec2Call[ec2.AuthorizeSecurityGroupIngressInput, ec2.AuthorizeSecurityGroupIngressOutput]
	CreateSecurityGroup           ec2Call[ec2.CreateSecurityGroupInput, ec2.CreateSecurityGroupOutput]
	CreateSubnet                  ec2Call[ec2.CreateSubnetInput, ec2.CreateSubnetOutput]
	DeleteSecurityGroup           ec2Call[ec2.DeleteSecurityGroupInput, ec2.DeleteSecurityGroupOutput]
	DeleteSubnet                  ec2Call[ec2.DeleteSubnetInput, ec2.DeleteSubnetOutput]
	DescribeInstances             describeInstances
	DescribeInternetGateways      ec2Call[ec2.DescribeInternetGatewaysInput, ec2.DescribeInternetGatewaysOutput]
	DescribeNetworkInterfaces     describeNetworkInterfaces
	DescribeSecurityGroupRules    describeSecurityGroupRules
	DescribeSecurityGroups        describeSecurityGroups
	DescribeSubnets               describeSubnets
	DescribeVpcs                  describeVpcs
	RevokeSecurityGroupIngress    ec2Call[ec2.RevokeSecurityGroupIngressInput, ec2.RevokeSecurityGroupIngressOutput]
}

func newEC2Calls(c *ec2.Client) ec2Calls {
	return ec2Calls{
		AuthorizeSecurityGroupIngress: c.AuthorizeSecurityGroupIngress,
		CreateSecurityGroup:           c.CreateSecurityGroup,
		CreateSubnet:                  c.CreateSubnet,
		DeleteSecurityGroup:           c.DeleteSecurityGroup,
		DeleteSubnet:                  c.DeleteSubnet,
		DescribeInstances:             c.DescribeInstances,
		DescribeInternetGateways:      c.DescribeInternetGateways,
		DescribeNetworkInterfaces:     c.DescribeNetworkInterfaces,
		DescribeSecurityGroupRules:    c.DescribeSecurityGroupRules,
		DescribeSecurityGroups:        c.DescribeSecurityGroups,
		DescribeSubnets:               c.DescribeSubnets,
		DescribeVpcs:                  c.DescribeVpcs,
		RevokeSecurityGroupIngress:    c.RevokeSecurityGroupIngress,
	}
}

// The types below are the clients that the SDK's paginators and waiters take.
type (
	describeInstances          ec2Call[ec2.DescribeInstancesInput, ec2.DescribeInstancesOutput]
	describeNetworkInterfaces  ec2Call[ec2.DescribeNetworkInterfacesInput, ec2.DescribeNetworkInterfacesOutput]
	describeSecurityGroupRules ec2Call[ec2.DescribeSecurityGroupRulesInput, ec2.DescribeSecurityGroupRulesOutput]
	describeSecurityGroups     ec2Call[ec2.DescribeSecurityGroupsInput, ec2.DescribeSecurityGroupsOutput]
	describeSubnets            ec2Call[ec2.DescribeSubnetsInput, ec2.DescribeSubnetsOutput]
	describeVpcs               ec2Call[ec2.DescribeVpcsInput, ec2.DescribeVpcsOutput]
)

func (f describeInstances) DescribeInstances(ctx context.Context, in *ec2.DescribeInstancesInput, o ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return f(ctx, in, o...)
}

func (f describeNetworkInterfaces) DescribeNetworkInterfaces(ctx context.Context, in *ec2.DescribeNetworkInterfacesInput, o ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error) {
	return f(ctx, in, o...)
}

func (f describeSecurityGroupRules) DescribeSecurityGroupRules(ctx context.Context, in *ec2.DescribeSecurityGroupRulesInput, o ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	return f(ctx, in, o...)
}

func (f describeSecurityGroups) DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput, o ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	return f(ctx, in, o...)
}

func (f describeSubnets) DescribeSubnets(ctx context.Context, in *ec2.DescribeSubnetsInput, o ...func(*ec2.Options)) (*ec2.DescribeSubnetsOutput, error) {
	return f(ctx, in, o...)
}

func (f describeVpcs) DescribeVpcs(ctx context.Context, in *ec2.DescribeVpcsInput, o ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error) {
	return f(ctx, in, o...)
}
