// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// What follows makes a classic load balancer a pool.

func (c *classic) members() []string {
	if c.found == nil {
		return nil
	}
	var ids []string
	for _, i := range c.found.Instances {
		ids = append(ids, awssdk.ToString(i.InstanceId))
	}
	slices.Sort(ids)
	return ids
}

func (c *classic) zones() []string {
	var zones []string
	if c.found != nil {
		zones = c.found.AvailabilityZones
	}
	return withSubnets(zones, c.subnets)
}

func (c *classic) register(ctx context.Context, id string) error {
	_, err := c.elb.RegisterInstancesWithLoadBalancer(ctx, &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: &c.cfg.LoadBalancer, Instances: []types.Instance{{InstanceId: &id}},
	})
	return err
}

func (c *classic) deregister(ctx context.Context, id string) error {
	_, err := c.elb.DeregisterInstancesFromLoadBalancer(ctx, &elb.DeregisterInstancesFromLoadBalancerInput{
		LoadBalancerName: &c.cfg.LoadBalancer, Instances: []types.Instance{{InstanceId: &id}},
	})
	return err
}

func (c *classic) registerLine(id string) string {
	return line("elb register-instances-with-load-balancer --load-balancer-name", lb.Quote(c.cfg.LoadBalancer), "--instances", id)
}

func (c *classic) deregisterLine(id string) string {
	return line("elb deregister-instances-from-load-balancer --load-balancer-name", lb.Quote(c.cfg.LoadBalancer), "--instances", id)
}

// needed is about other listeners: all of a classic load balancer lead to the
// same instances.
func (c *classic) needed() string {
	if others := c.otherListeners(); len(others) > 0 {
		return fmt.Sprintf("its listener on %s is %s", port(others[0]), lb.NotOurs)
	}
	return ""
}

func (c *classic) health(ctx context.Context) (map[string]lb.InstanceHealth, error) {
	all := map[string]lb.InstanceHealth{}
	if c.dns == "" {
		return all, nil
	}
	out, err := c.elb.DescribeInstanceHealth(ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: &c.cfg.LoadBalancer})
	if err != nil {
		return nil, err
	}
	for _, s := range out.InstanceStates {
		id, reason := awssdk.ToString(s.InstanceId), awssdk.ToString(s.Description)
		if reason == "N/A" {
			reason = ""
		}
		all[id] = lb.InstanceHealth{ID: id, State: awssdk.ToString(s.State), InService: awssdk.ToString(s.State) == "InService", Reason: reason}
	}
	return all, nil
}
