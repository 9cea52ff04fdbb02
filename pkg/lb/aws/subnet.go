// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// subnet is one subnet of the balancer.
type subnet struct {
	*account
	cfg   Config
	vpc   *vpc
	usage *usage
	spec  Subnet

	id, zone, cidr string
}

func (s *subnet) Kind() string { return "subnet" }
func (s *subnet) Name() string { return s.spec.Name }

// label names it in a change even before it exists.
func (s *subnet) label() string {
	if s.id == "" {
		return s.spec.Name
	}
	return s.id
}

// ref names it in a command.
func (s *subnet) ref() string { return reference(s.id, variable("subnet", s.spec.Name)) }

func (s *subnet) Read(ctx context.Context) (lb.State, error) {
	if s.vpc.id == "" {
		return lb.State{}, nil
	}
	var named, overlapping []types.Subnet
	pages := ec2.NewDescribeSubnetsPaginator(s.ec2.DescribeSubnets, &ec2.DescribeSubnetsInput{Filters: filters("vpc-id", s.vpc.id)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return lb.State{}, err
		}
		for _, found := range page.Subnets {
			if tag(found.Tags, "Name") == s.spec.Name {
				named = append(named, found)
			} else if overlap(awssdk.ToString(found.CidrBlock), s.spec.CIDR) {
				overlapping = append(overlapping, found)
			}
		}
	}
	if len(named) == 0 {
		return lb.State{Problem: s.whyNot(overlapping)}, nil
	}
	if len(named) > 1 {
		return lb.State{Problem: fmt.Sprintf("%d subnets have this tag Name: %s; keep it on one of them", len(named), subnetIDs(named))}, nil
	}
	found := named[0]
	s.id, s.zone, s.cidr = awssdk.ToString(found.SubnetId), awssdk.ToString(found.AvailabilityZone), awssdk.ToString(found.CidrBlock)
	state := lb.State{Exists: true, ID: s.id, ReadOnly: !s.cfg.Create, Ours: marked(found.Tags)}
	if s.spec.CIDR != "" && s.cidr != s.spec.CIDR {
		state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("subnet %s has %s, not %s; it is used as it is", s.spec.Name, s.cidr, s.spec.CIDR))
	}
	return state, nil
}

// whyNot says why an absent subnet cannot be made, or "".
func (s *subnet) whyNot(overlapping []types.Subnet) string {
	switch {
	case !s.cfg.Create:
		return "no subnet of the VPC has this tag Name; name yours with --subnet, or use --create to make it"
	case s.spec.CIDR == "":
		return "no subnet of the VPC has this tag Name; write --subnet " + s.spec.Name + "=CIDR@ZONE to make it"
	case len(overlapping) > 0:
		return fmt.Sprintf("%s overlaps with subnet %s; name that one with --subnet, or choose another range", s.spec.CIDR, subnetIDs(overlapping))
	}
	return ""
}

func (s *subnet) Create(ctx context.Context) error {
	in := &ec2.CreateSubnetInput{
		VpcId:             &s.vpc.id,
		CidrBlock:         &s.spec.CIDR,
		TagSpecifications: tags(types.ResourceTypeSubnet, s.spec.Name),
	}
	if s.spec.Zone != "" {
		in.AvailabilityZone = &s.spec.Zone
	}
	out, err := s.ec2.CreateSubnet(ctx, in)
	if err != nil {
		return err
	}
	s.id, s.zone, s.cidr = awssdk.ToString(out.Subnet.SubnetId), awssdk.ToString(out.Subnet.AvailabilityZone), s.spec.CIDR
	available := ec2.NewSubnetAvailableWaiter(s.ec2.DescribeSubnets, func(o *ec2.SubnetAvailableWaiterOptions) { o.MinDelay, o.MaxDelay = s.pace.Pause/5, s.pace.Pause })
	return available.Wait(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{s.id}}, s.pace.Patience)
}

func (s *subnet) Delete(ctx context.Context) error {
	_, err := s.ec2.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &s.id})
	return err
}

func (s *subnet) Keep(ctx context.Context) (string, error) {
	return s.usage.all(ctx, "subnet-id", s.id)
}

func (s *subnet) Commands(a lb.Action) []string {
	if a == lb.Delete {
		return []string{untilUnused(line("ec2 delete-subnet --subnet-id", s.id))}
	}
	words := []string{"ec2 create-subnet --vpc-id", s.vpc.id, "--cidr-block", s.spec.CIDR}
	if s.spec.Zone != "" {
		words = append(words, "--availability-zone", lb.Quote(s.spec.Zone))
	}
	return []string{capture(variable("subnet", s.spec.Name), "Subnet.SubnetId", append(words, markOption("subnet", s.spec.Name))...)}
}

func subnetIDs(subnets []types.Subnet) string {
	var ids []string
	for _, s := range subnets {
		ids = append(ids, fmt.Sprintf("%s (%s, Name %q)", awssdk.ToString(s.SubnetId), awssdk.ToString(s.CidrBlock), tag(s.Tags, "Name")))
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}
