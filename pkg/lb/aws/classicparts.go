// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// classicListener is the listener of a classic load balancer.
type classicListener struct{ balancer *classic }

func (l *classicListener) Kind() string { return "listener" }
func (l *classicListener) Name() string { return "tcp/" + strconv.Itoa(int(l.balancer.cfg.Port)) }

func (l *classicListener) Read(context.Context) (lb.State, error) {
	found := l.balancer.listener()
	if found == nil {
		return lb.State{}, nil
	}
	state := lb.State{Exists: true}
	if !l.balancer.ours {
		state.Keep = "part of a load balancer that is not made by " + lb.Owner
	}
	want := l.balancer.wantedListener()
	// The lab writes tcp, the API answers TCP.
	state.Changes = differences(
		field{"protocol", strings.ToUpper(awssdk.ToString(found.Protocol)), *want.Protocol},
		field{"instance protocol", strings.ToUpper(awssdk.ToString(found.InstanceProtocol)), *want.InstanceProtocol},
		field{"instance port", number(awssdk.ToInt32(found.InstancePort)), number(*want.InstancePort)},
	)
	return state, nil
}

// Create has nothing to do for a load balancer that was just created with its
// listener.
func (l *classicListener) Create(ctx context.Context) error {
	if l.balancer.listener() != nil {
		return nil
	}
	return l.add(ctx)
}

func (l *classicListener) add(ctx context.Context) error {
	b := l.balancer
	_, err := b.elb.CreateLoadBalancerListeners(ctx, &elb.CreateLoadBalancerListenersInput{
		LoadBalancerName: &b.cfg.LoadBalancer, Listeners: []types.Listener{b.wantedListener()},
	})
	return err
}

// Update replaces it: the API changes no listener.
func (l *classicListener) Update(ctx context.Context) error {
	if err := l.Delete(ctx); err != nil {
		return err
	}
	return l.add(ctx)
}

func (l *classicListener) Delete(ctx context.Context) error {
	b := l.balancer
	_, err := b.elb.DeleteLoadBalancerListeners(ctx, &elb.DeleteLoadBalancerListenersInput{
		LoadBalancerName: &b.cfg.LoadBalancer, LoadBalancerPorts: []int32{b.cfg.Port},
	})
	return err
}

// classicCrossZone lets every zone's address of the balancer reach the
// controllers of all zones. The API leaves it off.
type classicCrossZone struct{ balancer *classic }

func (z *classicCrossZone) Kind() string { return "cross-zone balancing" }
func (z *classicCrossZone) Name() string { return z.balancer.cfg.LoadBalancer }

func (z *classicCrossZone) Read(ctx context.Context) (lb.State, error) {
	if z.balancer.found == nil {
		return lb.State{}, nil
	}
	out, err := z.balancer.elb.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: &z.balancer.cfg.LoadBalancer})
	if err != nil {
		return lb.State{}, err
	}
	on := out.LoadBalancerAttributes.CrossZoneLoadBalancing != nil && out.LoadBalancerAttributes.CrossZoneLoadBalancing.Enabled
	return lb.State{Exists: true, Keep: keepSetting, Changes: differences(field{"enabled", fmt.Sprint(on), "true"})}, nil
}

// keepSetting is why a deletion leaves a setting; what it was before is not known.
const keepSetting = "a setting that the load balancer has as long as it is there"

func (z *classicCrossZone) Create(ctx context.Context) error { return z.Update(ctx) }

func (z *classicCrossZone) Update(ctx context.Context) error {
	_, err := z.balancer.elb.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerName:       &z.balancer.cfg.LoadBalancer,
		LoadBalancerAttributes: &types.LoadBalancerAttributes{CrossZoneLoadBalancing: &types.CrossZoneLoadBalancing{Enabled: true}},
	})
	return err
}

// classicHealthCheck is the health check of a classic load balancer.
type classicHealthCheck struct {
	balancer *classic
	want     HealthCheck
}

func (h *classicHealthCheck) Kind() string { return "health check" }
func (h *classicHealthCheck) Name() string { return h.balancer.cfg.LoadBalancer }

func (h *classicHealthCheck) Read(context.Context) (lb.State, error) {
	if h.balancer.found == nil {
		return lb.State{}, nil
	}
	found := h.balancer.found.HealthCheck
	if found == nil {
		found = &types.HealthCheck{}
	}
	return lb.State{Exists: true, Keep: keepSetting, Changes: differences(
		field{"target", awssdk.ToString(found.Target), h.want.Target},
		field{"interval", number(awssdk.ToInt32(found.Interval)), number(h.want.Interval)},
		field{"timeout", number(awssdk.ToInt32(found.Timeout)), number(h.want.Timeout)},
		field{"healthy threshold", number(awssdk.ToInt32(found.HealthyThreshold)), number(h.want.HealthyAfter)},
		field{"unhealthy threshold", number(awssdk.ToInt32(found.UnhealthyThreshold)), number(h.want.UnhealthyAfter)},
	)}, nil
}

func (h *classicHealthCheck) Create(ctx context.Context) error { return h.Update(ctx) }

func (h *classicHealthCheck) Update(ctx context.Context) error {
	_, err := h.balancer.elb.ConfigureHealthCheck(ctx, &elb.ConfigureHealthCheckInput{
		LoadBalancerName: &h.balancer.cfg.LoadBalancer,
		HealthCheck: &types.HealthCheck{
			Target: &h.want.Target, Interval: &h.want.Interval, Timeout: &h.want.Timeout,
			HealthyThreshold: &h.want.HealthyAfter, UnhealthyThreshold: &h.want.UnhealthyAfter,
		},
	})
	return err
}

// field is one property, as it is and as it should be.
type field struct{ name, is, want string }

func differences(fields ...field) []lb.Change {
	var changes []lb.Change
	for _, f := range fields {
		if f.is != f.want {
			changes = append(changes, lb.Change{Field: f.name, Old: f.is, New: f.want})
		}
	}
	return changes
}

// number leaves out what is not set: no field here may be 0.
func number(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}
