// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// vpc is the VPC of the lab's tag Name, or of an ID.
type vpc struct {
	*account
	name string
	id   string
}

// vpcID is what no one takes for a Name.
var vpcID = regexp.MustCompile(`^vpc-[0-9a-f]{8,17}$`)

func (v *vpc) Kind() string { return "vpc" }
func (v *vpc) Name() string { return v.name }

func (v *vpc) Read(ctx context.Context) (lb.State, error) {
	by, called := "tag:Name", "tag Name"
	if vpcID.MatchString(v.name) {
		by, called = "vpc-id", "ID"
	}
	var ids []string
	pages := ec2.NewDescribeVpcsPaginator(v.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{Filters: filters(by, v.name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return lb.State{}, err
		}
		for _, found := range page.Vpcs {
			ids = append(ids, awssdk.ToString(found.VpcId))
		}
	}
	state := lb.State{ReadOnly: true, Exists: len(ids) == 1}
	switch len(ids) {
	case 0:
		state.Problem = fmt.Sprintf("no VPC of this region has this %s; name yours with --vpc, or another --region", called)
	case 1:
		v.id, state.ID = ids[0], ids[0]
	default:
		state.Problem = fmt.Sprintf("%d VPCs have this tag Name: %s; keep it on one of them, or say --vpc with the ID", len(ids), strings.Join(ids, ", "))
	}
	return state, nil
}

// offline says why AWS would make no load balancer here that faces the internet,
// or is "".
func (v *vpc) offline(ctx context.Context) (string, error) {
	if v.id == "" {
		return "", nil
	}
	out, err := v.ec2.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{Filters: filters("attachment.vpc-id", v.id)})
	if err != nil || len(out.InternetGateways) > 0 {
		return "", err
	}
	return fmt.Sprintf("%s has no internet gateway, and AWS makes no load balancer there that faces the internet; give it one and a route to it: "+
		"aws ec2 create-internet-gateway, attach-internet-gateway --vpc-id %s, create-route", v.id, v.id), nil
}
