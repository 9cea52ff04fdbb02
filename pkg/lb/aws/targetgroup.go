// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"strconv"
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

	found *types.TargetGroup
	arn   string
	ours  bool
	// delay is its deregistration delay in seconds; 0 before it is made.
	delay int32
	// checkDiffers reports that its health check is not as it should be.
	checkDiffers bool
	targets      []target
}

// delayKey is the attribute's name; AWS has 300 s where it is not set.
const (
	delayKey     = "deregistration_delay.timeout_seconds"
	defaultDelay = 300
)

func (g *targetGroup) Kind() string { return "target group" }
func (g *targetGroup) Name() string { return g.cfg.TargetGroup }

// ref names it in a command.
func (g *targetGroup) ref() string {
	return reference(g.arn, variable("target_group", g.cfg.TargetGroup))
}

func (g *targetGroup) Read(ctx context.Context) (lb.State, error) {
	out, err := g.elbv2.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{g.cfg.TargetGroup}})
	if hasCode(err, "TargetGroupNotFound") || err == nil && len(out.TargetGroups) == 0 {
		return lb.State{}, nil
	}
	if err != nil {
		return lb.State{}, err
	}
	g.found = &out.TargetGroups[0]
	g.arn = awssdk.ToString(g.found.TargetGroupArn)
	marked, err := g.marked(ctx, g.arn)
	if err != nil {
		return lb.State{}, err
	}
	g.ours = marked[g.arn]
	state := lb.State{Exists: true, Ours: g.ours, Problem: g.drift(), Changes: g.checkChanges()}
	g.checkDiffers = len(state.Changes) > 0
	if err := g.readDelay(ctx); err != nil {
		return lb.State{}, err
	}
	if n := seconds(g.cfg.DeregistrationDelay); g.delay < n {
		state.Changes = append(state.Changes, lb.Change{Field: "deregistration delay", Old: strconv.Itoa(int(g.delay)), New: number(n)})
	}
	state.Unmanaged, err = g.readTargets(ctx)
	return state, err
}

func (g *targetGroup) readDelay(ctx context.Context) error {
	if g.cfg.DeregistrationDelay == 0 {
		return nil
	}
	out, err := g.elbv2.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &g.arn})
	if err != nil {
		return err
	}
	g.delay = defaultDelay
	for _, a := range out.Attributes {
		if n, err := strconv.ParseInt(awssdk.ToString(a.Value), 10, 32); awssdk.ToString(a.Key) == delayKey && err == nil {
			g.delay = int32(n)
		}
	}
	return nil
}

// drift says in what it differs that cannot be changed, or "". The port is that
// of targets which are registered without one; only others do that.
func (g *targetGroup) drift() string {
	vpcID, port := g.vpc.id, g.cfg.Port
	if vpcID == "" {
		vpcID = awssdk.ToString(g.found.VpcId)
	}
	if g.ours {
		port = awssdk.ToInt32(g.found.Port)
	}
	var fixed []string
	for _, d := range differences(
		field{"protocol", string(g.found.Protocol), string(types.ProtocolEnumTcp)},
		field{"port", number(awssdk.ToInt32(g.found.Port)), number(port)},
		field{"vpc", awssdk.ToString(g.found.VpcId), vpcID},
		field{"target type", string(g.found.TargetType), string(types.TargetTypeEnumInstance)},
	) {
		fixed = append(fixed, fmt.Sprintf("its %s is %s and not %s", d.Field, d.Old, d.New))
	}
	if len(fixed) == 0 {
		return ""
	}
	return strings.Join(fixed, ", ") + ", which cannot be changed; name another with --target-group"
}

func (g *targetGroup) checkChanges() []lb.Change {
	want, found := g.cfg.HealthCheck, g.found
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
	return g.raiseDelay(ctx)
}

func (g *targetGroup) Update(ctx context.Context) error {
	if g.checkDiffers {
		h := g.cfg.HealthCheck
		t := h.parts()
		_, err := g.elbv2.ModifyTargetGroup(ctx, &elb.ModifyTargetGroupInput{
			TargetGroupArn:      &g.arn,
			HealthCheckProtocol: types.ProtocolEnum(t.protocol), HealthCheckPort: t.portString(), HealthCheckPath: t.pathPointer(),
			HealthCheckIntervalSeconds: &h.Interval, HealthCheckTimeoutSeconds: &h.Timeout,
			HealthyThresholdCount: &h.HealthyAfter, UnhealthyThresholdCount: &h.UnhealthyAfter,
		})
		if err != nil {
			return err
		}
	}
	return g.raiseDelay(ctx)
}

func (g *targetGroup) raiseDelay(ctx context.Context) error {
	n := seconds(g.cfg.DeregistrationDelay)
	if g.delay >= n {
		return nil
	}
	_, err := g.elbv2.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &g.arn, Attributes: []types.TargetGroupAttribute{{Key: awssdk.String(delayKey), Value: awssdk.String(number(n))}},
	})
	return err
}

func (g *targetGroup) Delete(ctx context.Context) error {
	_, err := g.elbv2.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &g.arn})
	return err
}

// Keep leaves a target group to those who use it too.
func (g *targetGroup) Keep(ctx context.Context) (string, error) {
	if needed := g.needed(); needed != "" {
		return needed, nil
	}
	if err := g.controllers.lookUp(ctx, g.members()); err != nil {
		return "", err
	}
	if others := g.controllers.others(g.ids()); len(others) > 0 {
		return fmt.Sprintf("instance %s is registered too", others[0].brief()), nil
	}
	return "", nil
}

func (g *targetGroup) Commands(a lb.Action) []string {
	h := g.cfg.HealthCheck
	t := h.parts()
	check := fmt.Sprintf("--health-check-protocol %s --health-check-port %d --health-check-interval-seconds %d --health-check-timeout-seconds %d "+
		"--healthy-threshold-count %d --unhealthy-threshold-count %d", t.protocol, t.port, h.Interval, h.Timeout, h.HealthyAfter, h.UnhealthyAfter)
	if t.path != "" {
		check += " --health-check-path " + lb.Quote(t.path)
	}
	var lines []string
	switch {
	case a == lb.Delete:
		return []string{line("elbv2 delete-target-group --target-group-arn", g.arn)}
	case a == lb.Create:
		lines = append(lines, capture(variable("target_group", g.cfg.TargetGroup), "TargetGroups[0].TargetGroupArn", "elbv2 create-target-group --name", lb.Quote(g.cfg.TargetGroup),
			"--vpc-id", g.vpc.id, "--protocol TCP --target-type instance --port", number(g.cfg.Port), check, "--tags", markTag))
	case g.checkDiffers:
		lines = append(lines, line("elbv2 modify-target-group --target-group-arn", g.arn, check))
	}
	if n := seconds(g.cfg.DeregistrationDelay); g.delay < n {
		lines = append(lines, line("elbv2 modify-target-group-attributes --target-group-arn", g.ref(), "--attributes", "Key="+delayKey+",Value="+number(n)))
	}
	return lines
}
