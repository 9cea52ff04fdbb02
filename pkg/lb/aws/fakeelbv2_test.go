// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func (f *fake) answerNetwork(in any) (any, error) {
	switch in := in.(type) {
	case *elb.DescribeLoadBalancersInput:
		if f.network == nil {
			return nil, refused(400, "LoadBalancerNotFound")
		}
		return &elb.DescribeLoadBalancersOutput{LoadBalancers: []types.LoadBalancer{*f.network}}, nil
	case *elb.DescribeTargetGroupsInput:
		if f.targetGroup == nil {
			return nil, refused(400, "TargetGroupNotFound")
		}
		return &elb.DescribeTargetGroupsOutput{TargetGroups: []types.TargetGroup{*f.targetGroup}}, nil
	case *elb.DescribeListenersInput:
		// A listener of another port comes first, on a page of its own.
		all := []types.Listener{{ListenerArn: awssdk.String("listener-other"), Port: awssdk.Int32(443)}}
		if f.listener != nil {
			all = append(all, *f.listener)
		}
		listeners, next := page(all, in.Marker)
		return &elb.DescribeListenersOutput{Listeners: listeners, NextMarker: next}, nil
	case *elb.DescribeTagsInput:
		return &elb.DescribeTagsOutput{TagDescriptions: []types.TagDescription{{Tags: f.networkTags[in.ResourceArns[0]]}}}, nil
	case *elb.DescribeLoadBalancerAttributesInput:
		return &elb.DescribeLoadBalancerAttributesOutput{Attributes: []types.LoadBalancerAttribute{{Key: awssdk.String(crossZoneKey), Value: &f.networkCross}}}, nil
	case *elb.DescribeTargetHealthInput:
		out := &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: []types.TargetHealthDescription{{
			Target: &types.TargetDescription{Id: awssdk.String("i-old")}, TargetHealth: &types.TargetHealth{State: types.TargetHealthStateEnumDraining},
		}}}
		for _, id := range f.targets {
			health := &types.TargetHealth{State: types.TargetHealthStateEnumHealthy}
			if id == "i-1" {
				health = &types.TargetHealth{State: types.TargetHealthStateEnumUnhealthy, Description: awssdk.String("Health checks failed")}
			}
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, types.TargetHealthDescription{Target: &types.TargetDescription{Id: &id, Port: awssdk.Int32(6443)}, TargetHealth: health})
		}
		if f.strayTarget != "" {
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, types.TargetHealthDescription{
				Target: &types.TargetDescription{Id: &f.strayTarget, Port: awssdk.Int32(8443)}, TargetHealth: &types.TargetHealth{State: types.TargetHealthStateEnumHealthy},
			})
		}
		return out, nil
	}
	return f.changeNetwork(in)
}

func (f *fake) changeNetwork(in any) (any, error) {
	switch in := in.(type) {
	case *elb.CreateLoadBalancerInput:
		f.network = &types.LoadBalancer{
			LoadBalancerArn: awssdk.String("arn-network"), LoadBalancerName: in.Name, DNSName: awssdk.String("kubernetes-1.elb.us-east-1.amazonaws.com"),
			Type: in.Type, Scheme: in.Scheme, VpcId: awssdk.String("vpc-lab"), SecurityGroups: in.SecurityGroups, AvailabilityZones: zonesOf(in.Subnets),
		}
		f.networkCross, f.networkTags["arn-network"] = "false", in.Tags
		return &elb.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{*f.network}}, nil
	case *elb.DeleteLoadBalancerInput:
		f.network, f.listener, f.inUse = nil, nil, 2
		return &elb.DeleteLoadBalancerOutput{}, nil
	case *elb.SetSubnetsInput:
		f.network.AvailabilityZones = zonesOf(in.Subnets)
		return &elb.SetSubnetsOutput{}, nil
	case *elb.SetSecurityGroupsInput:
		f.network.SecurityGroups = in.SecurityGroups
		return &elb.SetSecurityGroupsOutput{}, nil
	case *elb.ModifyLoadBalancerAttributesInput:
		f.networkCross = *in.Attributes[0].Value
		return &elb.ModifyLoadBalancerAttributesOutput{}, nil
	case *elb.CreateTargetGroupInput:
		f.targetGroup = &types.TargetGroup{
			TargetGroupArn: awssdk.String("arn-group"), Protocol: in.Protocol, Port: in.Port, VpcId: in.VpcId, TargetType: in.TargetType,
			HealthCheckProtocol: in.HealthCheckProtocol, HealthCheckPort: in.HealthCheckPort, HealthCheckPath: in.HealthCheckPath,
			HealthCheckIntervalSeconds: in.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: in.HealthCheckTimeoutSeconds,
			HealthyThresholdCount: in.HealthyThresholdCount, UnhealthyThresholdCount: in.UnhealthyThresholdCount,
		}
		f.networkTags["arn-group"] = in.Tags
		return &elb.CreateTargetGroupOutput{TargetGroups: []types.TargetGroup{*f.targetGroup}}, nil
	case *elb.ModifyTargetGroupInput:
		g := f.targetGroup
		g.HealthCheckProtocol, g.HealthCheckPort, g.HealthCheckPath = in.HealthCheckProtocol, in.HealthCheckPort, in.HealthCheckPath
		g.HealthCheckIntervalSeconds, g.HealthCheckTimeoutSeconds = in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds
		g.HealthyThresholdCount, g.UnhealthyThresholdCount = in.HealthyThresholdCount, in.UnhealthyThresholdCount
		return &elb.ModifyTargetGroupOutput{}, nil
	case *elb.DeleteTargetGroupInput:
		if f.listener != nil || f.inUse > 1 {
			f.inUse--
			return nil, refused(400, "ResourceInUse")
		}
		f.targetGroup, f.targets = nil, nil
		return &elb.DeleteTargetGroupOutput{}, nil
	case *elb.CreateListenerInput:
		f.listener = &types.Listener{ListenerArn: awssdk.String("arn-listener"), Port: in.Port, Protocol: in.Protocol, DefaultActions: in.DefaultActions}
		f.networkTags["arn-listener"] = in.Tags
		return &elb.CreateListenerOutput{}, nil
	case *elb.ModifyListenerInput:
		f.listener.Protocol, f.listener.DefaultActions = in.Protocol, in.DefaultActions
		return &elb.ModifyListenerOutput{}, nil
	case *elb.DeleteListenerInput:
		f.listener = nil
		return &elb.DeleteListenerOutput{}, nil
	case *elb.RegisterTargetsInput:
		f.targets = append(f.targets, *in.Targets[0].Id)
		return &elb.RegisterTargetsOutput{}, nil
	case *elb.DeregisterTargetsInput:
		f.targets = slices.DeleteFunc(f.targets, func(id string) bool { return id == *in.Targets[0].Id })
		return &elb.DeregisterTargetsOutput{}, nil
	}
	return nil, nil
}

// zonesOf puts every subnet into the zone us-east-1a.
func zonesOf(subnets []string) []types.AvailabilityZone {
	var zones []types.AvailabilityZone
	for _, s := range subnets {
		zones = append(zones, types.AvailabilityZone{SubnetId: &s, ZoneName: awssdk.String("us-east-1a")})
	}
	return zones
}
