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
		f.classic, f.classicTags, f.inUse = nil, nil, 2
		return &elb.DeleteLoadBalancerOutput{}, nil
	case *elb.DescribeLoadBalancersInput:
		var all []types.LoadBalancerDescription
		for _, b := range []*types.LoadBalancerDescription{f.classic, f.otherClassic} {
			if b != nil && (in.LoadBalancerNames == nil || slices.Contains(in.LoadBalancerNames, *b.LoadBalancerName)) {
				all = append(all, *b)
			}
		}
		if in.LoadBalancerNames != nil && len(all) == 0 {
			return nil, refused(400, "LoadBalancerNotFound")
		}
		some, next := page(all, in.Marker)
		return &elb.DescribeLoadBalancersOutput{LoadBalancerDescriptions: some, NextMarker: next}, nil
	case *elb.AddTagsInput:
		f.classicTags = append(f.classicTags, in.Tags...)
		return &elb.AddTagsOutput{}, nil
	case *elb.DescribeTagsInput:
		return &elb.DescribeTagsOutput{TagDescriptions: []types.TagDescription{{Tags: f.classicTags}}}, nil
	case *elb.DescribeLoadBalancerAttributesInput:
		attributes := f.classicAttributes
		return &elb.DescribeLoadBalancerAttributesOutput{LoadBalancerAttributes: &attributes}, nil
	case *elb.ModifyLoadBalancerAttributesInput:
		if want := in.LoadBalancerAttributes.ConnectionSettings; want != nil {
			f.classicAttributes.ConnectionSettings = want
		}
		if want := in.LoadBalancerAttributes.ConnectionDraining; want != nil {
			f.classicAttributes.ConnectionDraining = want
		}
		if want := in.LoadBalancerAttributes.CrossZoneLoadBalancing; want != nil {
			f.classicAttributes.CrossZoneLoadBalancing = want
		}
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
		if slices.ContainsFunc(f.classic.ListenerDescriptions, func(d types.ListenerDescription) bool {
			return d.Listener.LoadBalancerPort == in.Listeners[0].LoadBalancerPort
		}) {
			return nil, refused(400, "DuplicateListener")
		}
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
