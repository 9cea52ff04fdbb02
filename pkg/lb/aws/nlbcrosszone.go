// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// nlbCrossZone lets every zone's address of the balancer reach the controllers
// of all zones. The API leaves it off.
type nlbCrossZone struct{ balancer *networkBalancer }

// crossZoneKey is the attribute's name.
const crossZoneKey = "load_balancing.cross_zone.enabled"

func (z *nlbCrossZone) Kind() string { return "cross-zone balancing" }
func (z *nlbCrossZone) Name() string { return z.balancer.cfg.LoadBalancer }

func (z *nlbCrossZone) Read(ctx context.Context) (lb.State, error) {
	if z.balancer.arn == "" {
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

func (z *nlbCrossZone) Commands(lb.Action) []string {
	return []string{line("elbv2 modify-load-balancer-attributes --load-balancer-arn", z.balancer.ref(), "--attributes", "Key="+crossZoneKey+",Value=true")}
}
