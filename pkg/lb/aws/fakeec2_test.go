// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"fmt"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// keep is what of a list passes.
func keep[T any](all []T, passes func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(t T) bool { return !passes(t) })
}

func (f *fake) answerEC2(in any) (any, error) {
	switch in := in.(type) {
	case *ec2.DescribeVpcsInput:
		vpcs, next := page(keep(f.vpcs, func(v types.Vpc) bool {
			return matches(in.Filters, "tag:Name", awssdk.String(tag(v.Tags, "Name"))) && matches(in.Filters, "vpc-id", v.VpcId)
		}), in.NextToken)
		return &ec2.DescribeVpcsOutput{Vpcs: vpcs, NextToken: next}, nil
	case *ec2.DescribeInternetGatewaysInput:
		if f.offline {
			return &ec2.DescribeInternetGatewaysOutput{}, nil
		}
		return &ec2.DescribeInternetGatewaysOutput{InternetGateways: []types.InternetGateway{{}}}, nil
	case *ec2.DescribeSubnetsInput:
		subnets, next := page(keep(f.subnets, func(s types.Subnet) bool {
			return matches(in.Filters, "vpc-id", s.VpcId) && (in.SubnetIds == nil || slices.Contains(in.SubnetIds, *s.SubnetId))
		}), in.NextToken)
		return &ec2.DescribeSubnetsOutput{Subnets: subnets, NextToken: next}, nil
	case *ec2.DescribeInstancesInput:
		instances, next := page(keep(f.instances, func(i types.Instance) bool {
			state := string(i.State.Name)
			return matches(in.Filters, "tag:Name", awssdk.String(tag(i.Tags, "Name"))) && matches(in.Filters, "instance-state-name", &state) && matches(in.Filters, "instance-id", i.InstanceId)
		}), in.NextToken)
		return &ec2.DescribeInstancesOutput{Reservations: []types.Reservation{{Instances: instances}}, NextToken: next}, nil
	case *ec2.DescribeSecurityGroupsInput:
		return &ec2.DescribeSecurityGroupsOutput{SecurityGroups: keep(f.groups, func(g types.SecurityGroup) bool {
			return matches(in.Filters, "vpc-id", g.VpcId) && matches(in.Filters, "group-name", g.GroupName) && (in.GroupIds == nil || slices.Contains(in.GroupIds, *g.GroupId))
		})}, nil
	case *ec2.DescribeSecurityGroupRulesInput:
		rules, next := page(keep(f.rules, func(r types.SecurityGroupRule) bool { return matches(in.Filters, "group-id", r.GroupId) }), in.NextToken)
		return &ec2.DescribeSecurityGroupRulesOutput{SecurityGroupRules: rules, NextToken: next}, nil
	case *ec2.DescribeNetworkInterfacesInput:
		interfaces, next := page(keep(f.interfaces(), func(i types.NetworkInterface) bool {
			return matches(in.Filters, "subnet-id", i.SubnetId) && matches(in.Filters, "group-id", i.Groups[0].GroupId)
		}), in.NextToken)
		return &ec2.DescribeNetworkInterfacesOutput{NetworkInterfaces: interfaces, NextToken: next}, nil
	case *ec2.CreateSubnetInput:
		zone := in.AvailabilityZone
		if zone == nil {
			zone = awssdk.String("us-east-1a")
		}
		if slices.ContainsFunc(f.subnets, func(s types.Subnet) bool { return *s.CidrBlock == *in.CidrBlock }) {
			return nil, refused(400, "InvalidSubnet.Conflict")
		}
		s := types.Subnet{SubnetId: f.newID("subnet"), VpcId: in.VpcId, CidrBlock: in.CidrBlock, AvailabilityZone: zone, State: types.SubnetStateAvailable, Tags: in.TagSpecifications[0].Tags}
		f.subnets = append(f.subnets, s)
		return &ec2.CreateSubnetOutput{Subnet: &s}, nil
	case *ec2.CreateSecurityGroupInput:
		if slices.ContainsFunc(f.groups, func(g types.SecurityGroup) bool { return *g.GroupName == *in.GroupName }) {
			return nil, refused(400, "InvalidGroup.Duplicate")
		}
		g := types.SecurityGroup{GroupId: f.newID("sg"), GroupName: in.GroupName, VpcId: in.VpcId, Tags: in.TagSpecifications[0].Tags}
		f.groups = append(f.groups, g)
		return &ec2.CreateSecurityGroupOutput{GroupId: g.GroupId}, nil
	}
	return f.changeEC2(in)
}

// interfaces are those of the instances and of the load balancers.
func (f *fake) interfaces() []types.NetworkInterface {
	var all []types.NetworkInterface
	add := func(description, subnet, group string, attached *types.NetworkInterfaceAttachment) {
		id := fmt.Sprintf("eni-%d", len(all))
		all = append(all, types.NetworkInterface{NetworkInterfaceId: &id, Description: &description, SubnetId: &subnet, Groups: []types.GroupIdentifier{{GroupId: &group}}, Attachment: attached})
	}
	for _, i := range f.instances {
		add("", *i.SubnetId, "sg-internal", &types.NetworkInterfaceAttachment{InstanceId: i.InstanceId})
	}
	if f.classic != nil {
		for _, s := range f.classic.Subnets {
			add("ELB kubernetes", s, f.classic.SecurityGroups[0], nil)
		}
	}
	if f.network != nil {
		for _, z := range f.network.AvailabilityZones {
			add("ELB net/kubernetes/0123456789abcdef", *z.SubnetId, append(slices.Clone(f.network.SecurityGroups), "none")[0], nil)
		}
	}
	return all
}

func (f *fake) changeEC2(in any) (any, error) {
	switch in := in.(type) {
	case *ec2.AuthorizeSecurityGroupIngressInput:
		p := in.IpPermissions[0]
		r := types.SecurityGroupRule{SecurityGroupRuleId: f.newID("sgr"), GroupId: in.GroupId, IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, Tags: in.TagSpecifications[0].Tags}
		if len(p.UserIdGroupPairs) > 0 {
			r.ReferencedGroupInfo = &types.ReferencedSecurityGroup{GroupId: p.UserIdGroupPairs[0].GroupId}
		} else {
			r.CidrIpv4 = p.IpRanges[0].CidrIp
		}
		if slices.ContainsFunc(f.rules, func(other types.SecurityGroupRule) bool { return sameRule(r, other) }) {
			return nil, refused(400, "InvalidPermission.Duplicate")
		}
		f.rules = append(f.rules, r)
		return &ec2.AuthorizeSecurityGroupIngressOutput{}, nil
	case *ec2.RevokeSecurityGroupIngressInput:
		before := len(f.rules)
		f.rules = keep(f.rules, func(r types.SecurityGroupRule) bool {
			return *r.GroupId != *in.GroupId || !slices.Contains(in.SecurityGroupRuleIds, *r.SecurityGroupRuleId)
		})
		if len(f.rules) == before {
			return nil, refused(400, "InvalidSecurityGroupRuleId.NotFound")
		}
		return &ec2.RevokeSecurityGroupIngressOutput{}, nil
	case *ec2.DeleteSecurityGroupInput:
		referenced := slices.ContainsFunc(f.rules, func(r types.SecurityGroupRule) bool {
			return r.ReferencedGroupInfo != nil && *r.ReferencedGroupInfo.GroupId == *in.GroupId
		})
		if err := f.stillInUse(referenced || f.classic != nil || f.network != nil || f.otherClassic != nil); err != nil {
			return nil, err
		}
		f.groups = keep(f.groups, func(g types.SecurityGroup) bool { return *g.GroupId != *in.GroupId })
		f.rules = keep(f.rules, func(r types.SecurityGroupRule) bool { return *r.GroupId != *in.GroupId })
		return &ec2.DeleteSecurityGroupOutput{}, nil
	case *ec2.DeleteSubnetInput:
		if err := f.stillInUse(f.classic != nil || f.network != nil); err != nil {
			return nil, err
		}
		f.subnets = keep(f.subnets, func(s types.Subnet) bool { return *s.SubnetId != *in.SubnetId })
		return &ec2.DeleteSubnetOutput{}, nil
	}
	return nil, nil
}

// stillInUse refuses what is in use, and for a while what was.
func (f *fake) stillInUse(now bool) error {
	if f.inUse > 0 {
		f.inUse--
		now = true
	}
	if now {
		return refused(400, "DependencyViolation")
	}
	return nil
}

func sameRule(a, b types.SecurityGroupRule) bool {
	from := func(r types.SecurityGroupRule) string {
		if r.ReferencedGroupInfo != nil {
			return *r.ReferencedGroupInfo.GroupId
		}
		return awssdk.ToString(r.CidrIpv4)
	}
	return *a.GroupId == *b.GroupId && *a.IpProtocol == *b.IpProtocol && *a.FromPort == *b.FromPort && *a.ToPort == *b.ToPort && from(a) == from(b)
}
