// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
)

func (f *fake) answerClassic(in any) (any, error) {
	switch in := in.(type) {
	case *elb.CreateLoadBalancerInput:
		if f.classic != nil {
			return nil, refused(400, "DuplicateLoadBalancerName")
		}
		f.withELB()
		f.groups, f.rules = f.groups[:len(f.groups)-1], f.rules[:len(f.rules)-1]
		f.classic.Subnets, f.classic.SecurityGroups, f.classicTags = in.Subnets, in.SecurityGroups, in.Tags
		f.classic.ListenerDescriptions = []types.ListenerDescription{{Listener: &in.Listeners[0]}}
		return &elb.CreateLoadBalancerOutput{DNSName: f.classic.DNSName}, nil
	case *elb.DeleteLoadBalancerInput:
		f.classic, f.classicTags, f.classicCross, f.inUse = nil, nil, false, 2
		return &elb.DeleteLoadBalancerOutput{}, nil
	case *elb.DescribeLoadBalancersInput:
		if f.classic == nil {
			return nil, refused(400, "LoadBalancerNotFound")
		}
		return &elb.DescribeLoadBalancersOutput{LoadBalancerDescriptions: []types.LoadBalancerDescription{*f.classic}}, nil
	case *elb.DescribeTagsInput:
		return &elb.DescribeTagsOutput{TagDescriptions: []types.TagDescription{{Tags: f.classicTags}}}, nil
	case *elb.DescribeLoadBalancerAttributesInput:
		return &elb.DescribeLoadBalancerAttributesOutput{LoadBalancerAttributes: &types.LoadBalancerAttributes{CrossZoneLoadBalancing: &types.CrossZoneLoadBalancing{Enabled: f.classicCross}}}, nil
	case *elb.ModifyLoadBalancerAttributesInput:
		f.classicCross = in.LoadBalancerAttributes.CrossZoneLoadBalancing.Enabled
		return &elb.ModifyLoadBalancerAttributesOutput{}, nil
	case *elb.ConfigureHealthCheckInput:
		f.classic.HealthCheck = in.HealthCheck
		return &elb.ConfigureHealthCheckOutput{}, nil
	case *elb.RegisterInstancesWithLoadBalancerInput:
		f.classic.Instances = append(f.classic.Instances, in.Instances...)
		return &elb.RegisterInstancesWithLoadBalancerOutput{}, nil
	case *elb.DeregisterInstancesFromLoadBalancerInput:
		f.classic.Instances = keep(f.classic.Instances, func(i types.Instance) bool { return *i.InstanceId != *in.Instances[0].InstanceId })
		return &elb.DeregisterInstancesFromLoadBalancerOutput{}, nil
	case *elb.AttachLoadBalancerToSubnetsInput:
		f.classic.Subnets = append(f.classic.Subnets, in.Subnets...)
		return &elb.AttachLoadBalancerToSubnetsOutput{}, nil
	case *elb.ApplySecurityGroupsToLoadBalancerInput:
		f.classic.SecurityGroups = in.SecurityGroups
		return &elb.ApplySecurityGroupsToLoadBalancerOutput{}, nil
	case *elb.CreateLoadBalancerListenersInput:
		f.classic.ListenerDescriptions = append(f.classic.ListenerDescriptions, types.ListenerDescription{Listener: &in.Listeners[0]})
		return &elb.CreateLoadBalancerListenersOutput{}, nil
	case *elb.DeleteLoadBalancerListenersInput:
		f.classic.ListenerDescriptions = keep(f.classic.ListenerDescriptions, func(d types.ListenerDescription) bool {
			return !slices.Contains(in.LoadBalancerPorts, d.Listener.LoadBalancerPort)
		})
		return &elb.DeleteLoadBalancerListenersOutput{}, nil
	case *elb.DescribeInstanceHealthInput:
		out := &elb.DescribeInstanceHealthOutput{}
		for _, i := range f.classic.Instances {
			s := types.InstanceState{InstanceId: i.InstanceId, State: awssdk.String("InService"), Description: awssdk.String("N/A")}
			if *i.InstanceId == "i-1" {
				s.State, s.Description = awssdk.String("OutOfService"), awssdk.String("Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
			}
			out.InstanceStates = append(out.InstanceStates, s)
		}
		return out, nil
	}
	return nil, nil
}
