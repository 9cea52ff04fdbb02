// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

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

func (h *classicHealthCheck) Commands(lb.Action) []string {
	check := fmt.Sprintf("Target=%s,Interval=%d,UnhealthyThreshold=%d,HealthyThreshold=%d,Timeout=%d",
		h.want.Target, h.want.Interval, h.want.UnhealthyAfter, h.want.HealthyAfter, h.want.Timeout)
	return []string{line("elb configure-health-check --load-balancer-name", lb.Quote(h.balancer.cfg.LoadBalancer), "--health-check", lb.Quote(check))}
}
