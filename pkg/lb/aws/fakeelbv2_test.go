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
		switch {
		case f.network != nil:
			return &elb.DescribeLoadBalancersOutput{LoadBalancers: []types.LoadBalancer{*f.network}}, nil
		case in.Names != nil || in.LoadBalancerArns != nil:
			return nil, refused(400, "LoadBalancerNotFound")
		}
		return &elb.DescribeLoadBalancersOutput{}, nil
	case *elb.DescribeTargetGroupsInput:
		if f.targetGroup == nil {
			return nil, refused(400, "TargetGroupNotFound")
		}
		return &elb.DescribeTargetGroupsOutput{TargetGroups: []types.TargetGroup{*f.targetGroup}}, nil
	case *elb.DescribeListenersInput:
		listeners, next := page(f.listeners, in.Marker)
		return &elb.DescribeListenersOutput{Listeners: listeners, NextMarker: next}, nil
	case *elb.DescribeListenerAttributesInput:
		return &elb.DescribeListenerAttributesOutput{Attributes: []types.ListenerAttribute{{Key: awssdk.String(idleKey), Value: &f.idle}}}, nil
	case *elb.DescribeTargetGroupAttributesInput:
		return &elb.DescribeTargetGroupAttributesOutput{Attributes: []types.TargetGroupAttribute{{Key: awssdk.String(delayKey), Value: &f.delay}}}, nil
	case *elb.DescribeTagsInput:
		out := &elb.DescribeTagsOutput{}
		for _, arn := range in.ResourceArns {
			out.TagDescriptions = append(out.TagDescriptions, types.TagDescription{ResourceArn: &arn, Tags: f.networkTags[arn]})
		}
		return out, nil
	case *elb.DescribeLoadBalancerAttributesInput:
		return &elb.DescribeLoadBalancerAttributesOutput{Attributes: []types.LoadBalancerAttribute{{Key: awssdk.String(crossZoneKey), Value: &f.networkCross}}}, nil
	case *elb.DescribeTargetHealthInput:
		out := &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: []types.TargetHealthDescription{{
			Target: &types.TargetDescription{Id: awssdk.String("i-old"), Port: awssdk.Int32(6443)}, TargetHealth: &types.TargetHealth{State: types.TargetHealthStateEnumDraining},
		}}}
		for _, t := range f.targets {
			health := &types.TargetHealth{State: types.TargetHealthStateEnumHealthy}
			if t.id == "i-1" {
				health = &types.TargetHealth{State: types.TargetHealthStateEnumUnhealthy, Description: awssdk.String("Health checks failed")}
			}
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, types.TargetHealthDescription{Target: &types.TargetDescription{Id: &t.id, Port: &t.port}, TargetHealth: health})
		}
		return out, nil
	}
	return f.changeNetwork(in)
}

func (f *fake) changeNetwork(in any) (any, error) {
	switch in := in.(type) {
	case *elb.CreateLoadBalancerInput:
		if f.network != nil {
			return nil, refused(400, "DuplicateLoadBalancerName")
		}
		f.network = &types.LoadBalancer{
			LoadBalancerArn: awssdk.String("arn-network"), LoadBalancerName: in.Name, DNSName: awssdk.String("kubernetes-1.elb.us-east-1.amazonaws.com"),
			Type: in.Type, Scheme: in.Scheme, State: &types.LoadBalancerState{Code: types.LoadBalancerStateEnumActive}, VpcId: awssdk.String("vpc-lab"), SecurityGroups: in.SecurityGroups, AvailabilityZones: zonesOf(in.Subnets),
		}
		f.networkCross, f.networkTags["arn-network"] = "false", in.Tags
		return &elb.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{*f.network}}, nil
	case *elb.DeleteLoadBalancerInput:
		f.network, f.listeners, f.inUse = nil, nil, 2
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
		if f.targetGroup != nil {
			return nil, refused(400, "DuplicateTargetGroupName")
		}
		f.delay = "300"
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
	case *elb.ModifyTargetGroupAttributesInput:
		f.delay = *in.Attributes[0].Value
		return &elb.ModifyTargetGroupAttributesOutput{}, nil
	case *elb.ModifyListenerAttributesInput:
		f.idle = *in.Attributes[0].Value
		return &elb.ModifyListenerAttributesOutput{}, nil
	case *elb.DeleteTargetGroupInput:
		if len(f.listeners) > 0 || f.inUse > 1 {
			f.inUse--
			return nil, refused(400, "ResourceInUse")
		}
		f.targetGroup, f.targets = nil, nil
		return &elb.DeleteTargetGroupOutput{}, nil
	case *elb.CreateListenerInput:
		if f.listenerOn(*in.Port) != nil {
			return nil, refused(400, "DuplicateListener")
		}
		arn := "arn-listener-" + number(*in.Port)
		f.idle = "350"
		f.listeners = append(f.listeners, types.Listener{ListenerArn: &arn, Port: in.Port, Protocol: in.Protocol, DefaultActions: in.DefaultActions})
		f.networkTags[arn] = in.Tags
		return &elb.CreateListenerOutput{Listeners: f.listeners[len(f.listeners)-1:]}, nil
	case *elb.ModifyListenerInput:
		l := f.listenerOn(*in.Port)
		l.Protocol, l.DefaultActions = in.Protocol, in.DefaultActions
		return &elb.ModifyListenerOutput{}, nil
	case *elb.DeleteListenerInput:
		f.listeners = keep(f.listeners, func(l types.Listener) bool { return *l.ListenerArn != *in.ListenerArn })
		return &elb.DeleteListenerOutput{}, nil
	case *elb.RegisterTargetsInput:
		f.targets = append(f.targets, target{*in.Targets[0].Id, *in.Targets[0].Port})
		return &elb.RegisterTargetsOutput{}, nil
	case *elb.DeregisterTargetsInput:
		f.targets = slices.DeleteFunc(f.targets, func(t target) bool { return t == target{*in.Targets[0].Id, *in.Targets[0].Port} })
		return &elb.DeregisterTargetsOutput{}, nil
	}
	return nil, nil
}

func (f *fake) listenerOn(port int32) *types.Listener {
	for i := range f.listeners {
		if *f.listeners[i].Port == port {
			return &f.listeners[i]
		}
	}
	return nil
}

// zonesOf puts every subnet into the zone us-east-1a.
func zonesOf(subnets []string) []types.AvailabilityZone {
	var zones []types.AvailabilityZone
	for _, s := range subnets {
		zones = append(zones, types.AvailabilityZone{SubnetId: &s, ZoneName: awssdk.String("us-east-1a")})
	}
	return zones
}
