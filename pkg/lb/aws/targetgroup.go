// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// targetGroup is the target group of a network load balancer, with its health
// check and its targets.
type targetGroup struct {
	*account
	cfg         Config
	vpc         *vpc
	controllers *controllers
	balancer    *networkBalancer

	arn     string
	targets []string
}

func (g *targetGroup) Kind() string { return "target group" }
func (g *targetGroup) Name() string { return g.cfg.TargetGroup }

func (g *targetGroup) Read(ctx context.Context) (lb.State, error) {
	out, err := g.elbv2.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{g.cfg.TargetGroup}})
	if hasCode(err, "TargetGroupNotFound") || err == nil && len(out.TargetGroups) == 0 {
		return lb.State{}, nil
	}
	if err != nil {
		return lb.State{}, err
	}
	found := out.TargetGroups[0]
	g.arn = awssdk.ToString(found.TargetGroupArn)
	state := lb.State{Exists: true, Problem: g.drift(found), Changes: g.changes(found)}
	if state.Ours, err = g.tagged(ctx, g.arn); err != nil {
		return lb.State{}, err
	}
	if !state.Ours {
		state.Keep = "not made by " + lb.Owner
	}
	elsewhere, err := g.readTargets(ctx)
	if err != nil {
		return lb.State{}, err
	}
	state.Unmanaged, err = g.controllers.unmanaged(ctx, g.targets)
	state.Unmanaged = append(state.Unmanaged, elsewhere...)
	return state, err
}

// readTargets also says which targets are of another port: an instance may be
// there with several.
func (g *targetGroup) readTargets(ctx context.Context) ([]string, error) {
	health, err := g.describeHealth(ctx)
	if err != nil {
		return nil, err
	}
	var elsewhere []string
	for _, d := range health {
		switch {
		case d.TargetHealth.State == types.TargetHealthStateEnumDraining:
			// It was deregistered, and stays listed until its connections are closed.
		case !g.onPort(d):
			elsewhere = append(elsewhere, fmt.Sprintf("instance %s is registered on port %d too", awssdk.ToString(d.Target.Id), *d.Target.Port))
		default:
			g.targets = append(g.targets, awssdk.ToString(d.Target.Id))
		}
	}
	slices.Sort(g.targets)
	return elsewhere, nil
}

func (g *targetGroup) onPort(d types.TargetHealthDescription) bool {
	return d.Target.Port == nil || *d.Target.Port == g.cfg.Port
}

// drift says in what it differs that cannot be changed, or "".
func (g *targetGroup) drift(found types.TargetGroup) string {
	vpcID := g.vpc.id
	if vpcID == "" {
		vpcID = awssdk.ToString(found.VpcId)
	}
	var fixed []string
	for _, d := range differences(
		field{"protocol", string(found.Protocol), string(types.ProtocolEnumTcp)},
		field{"port", number(awssdk.ToInt32(found.Port)), number(g.cfg.Port)},
		field{"vpc", awssdk.ToString(found.VpcId), vpcID},
		field{"target type", string(found.TargetType), string(types.TargetTypeEnumInstance)},
	) {
		fixed = append(fixed, fmt.Sprintf("its %s is %s and not %s", d.Field, d.Old, d.New))
	}
	if len(fixed) == 0 {
		return ""
	}
	return strings.Join(fixed, ", ") + ", which cannot be changed; name another with --target-group"
}

func (g *targetGroup) changes(found types.TargetGroup) []lb.Change {
	want := g.cfg.HealthCheck
	// Written as a classic load balancer has it.
	target := fmt.Sprintf("%s:%s%s", found.HealthCheckProtocol, awssdk.ToString(found.HealthCheckPort), awssdk.ToString(found.HealthCheckPath))
	return differences(
		field{"health check target", target, want.Target},
		field{"interval", number(awssdk.ToInt32(found.HealthCheckIntervalSeconds)), number(want.Interval)},
		field{"timeout", number(awssdk.ToInt32(found.HealthCheckTimeoutSeconds)), number(want.Timeout)},
		field{"healthy threshold", number(awssdk.ToInt32(found.HealthyThresholdCount)), number(want.HealthyAfter)},
		field{"unhealthy threshold", number(awssdk.ToInt32(found.UnhealthyThresholdCount)), number(want.UnhealthyAfter)},
	)
}

func (g *targetGroup) Create(ctx context.Context) error {
	h := g.cfg.HealthCheck
	t := h.parts()
	out, err := g.elbv2.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: &g.cfg.TargetGroup, VpcId: &g.vpc.id,
		Protocol: types.ProtocolEnumTcp, Port: &g.cfg.Port, TargetType: types.TargetTypeEnumInstance,
		HealthCheckProtocol: types.ProtocolEnum(t.protocol), HealthCheckPort: t.portString(), HealthCheckPath: t.pathPointer(),
		HealthCheckIntervalSeconds: &h.Interval, HealthCheckTimeoutSeconds: &h.Timeout,
		HealthyThresholdCount: &h.HealthyAfter, UnhealthyThresholdCount: &h.UnhealthyAfter,
		Tags: nlbTags(),
	})
	if err != nil {
		return err
	}
	g.arn = awssdk.ToString(out.TargetGroups[0].TargetGroupArn)
	return nil
}

func (g *targetGroup) Update(ctx context.Context) error {
	h := g.cfg.HealthCheck
	t := h.parts()
	_, err := g.elbv2.ModifyTargetGroup(ctx, &elb.ModifyTargetGroupInput{
		TargetGroupArn:      &g.arn,
		HealthCheckProtocol: types.ProtocolEnum(t.protocol), HealthCheckPort: t.portString(), HealthCheckPath: t.pathPointer(),
		HealthCheckIntervalSeconds: &h.Interval, HealthCheckTimeoutSeconds: &h.Timeout,
		HealthyThresholdCount: &h.HealthyAfter, UnhealthyThresholdCount: &h.UnhealthyAfter,
	})
	return err
}

func (g *targetGroup) Delete(ctx context.Context) error {
	_, err := g.elbv2.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &g.arn})
	return err
}

func (g *targetGroup) members() []string { return g.targets }
func (g *targetGroup) zones() []string   { return g.balancer.zones() }

func (g *targetGroup) register(ctx context.Context, id string) error {
	_, err := g.elbv2.RegisterTargets(ctx, &elb.RegisterTargetsInput{
		TargetGroupArn: &g.arn, Targets: []types.TargetDescription{{Id: &id, Port: &g.cfg.Port}},
	})
	return err
}

func (g *targetGroup) deregister(ctx context.Context, id string) error {
	_, err := g.elbv2.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{
		TargetGroupArn: &g.arn, Targets: []types.TargetDescription{{Id: &id, Port: &g.cfg.Port}},
	})
	return err
}

func (g *targetGroup) health(ctx context.Context) (map[string]lb.InstanceHealth, error) {
	described, err := g.describeHealth(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]lb.InstanceHealth{}
	for _, d := range described {
		if !g.onPort(d) {
			continue
		}
		id := awssdk.ToString(d.Target.Id)
		all[id] = lb.InstanceHealth{
			ID: id, State: string(d.TargetHealth.State), Reason: awssdk.ToString(d.TargetHealth.Description),
			InService: d.TargetHealth.State == types.TargetHealthStateEnumHealthy,
		}
	}
	return all, nil
}

func (g *targetGroup) describeHealth(ctx context.Context) ([]types.TargetHealthDescription, error) {
	out, err := g.elbv2.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &g.arn})
	if err != nil {
		return nil, err
	}
	return out.TargetHealthDescriptions, nil
}
