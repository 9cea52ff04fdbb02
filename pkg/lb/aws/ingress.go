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

// ingress is one TCP port of a group that is open to an address range or to
// another group. A wider rule of the user's will do.
type ingress struct {
	// balancers is the group that it is made for, and stays for while it is in use.
	balancers *securityGroup

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
		state.Keep = r.balancers.inUse
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
