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

// target is an instance in a target group. It may be there with several ports.
type target struct {
	id   string
	port int32
}

// readTargets says which of the targets are not the controllers'.
func (g *targetGroup) readTargets(ctx context.Context) ([]string, error) {
	health, err := g.describeHealth(ctx)
	if err != nil {
		return nil, err
	}
	g.targets = nil
	for _, d := range health {
		// One that was deregistered stays listed until its connections are closed.
		if d.TargetHealth.State != types.TargetHealthStateEnumDraining {
			g.targets = append(g.targets, target{awssdk.ToString(d.Target.Id), g.portOf(d)})
		}
	}
	slices.SortFunc(g.targets, func(a, b target) int {
		return strings.Compare(a.id+" "+number(a.port), b.id+" "+number(b.port))
	})
	if err := g.controllers.lookUp(ctx, g.ids()); err != nil {
		return nil, err
	}
	said, err := g.controllers.unmanaged(ctx, g.members())
	for _, t := range g.targets {
		if t.port != g.cfg.Port && !g.isStale(t) {
			said = append(said, fmt.Sprintf("instance %s is registered on port %d too", g.controllers.known[t.id].brief(), t.port))
		}
	}
	return said, err
}

func (g *targetGroup) portOf(d types.TargetHealthDescription) int32 {
	if d.Target.Port == nil {
		return awssdk.ToInt32(g.found.Port)
	}
	return *d.Target.Port
}

// isStale reports whether a target is a controller's on another port, in a group
// that is ours.
func (g *targetGroup) isStale(t target) bool {
	return g.ours && t.port != g.cfg.Port && slices.Contains(g.controllers.names, g.controllers.known[t.id].name)
}

func (g *targetGroup) findStale(context.Context) ([]lb.Resource, error) {
	var all []lb.Resource
	for _, t := range g.targets {
		if g.isStale(t) {
			all = append(all, &stale{
				kind: "registration", name: fmt.Sprintf("%s, port %d", g.controllers.known[t.id].brief(), t.port),
				delete: func(ctx context.Context) error { return g.deregisterFrom(ctx, t.id, t.port) },
				line:   func() string { return g.targetLine("deregister", t.id, t.port) },
			})
		}
	}
	return all, nil
}

// What follows makes a target group a pool.

func (g *targetGroup) members() []string {
	var ids []string
	for _, t := range g.targets {
		if t.port == g.cfg.Port {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// ids are those of all targets, whatever their port.
func (g *targetGroup) ids() []string {
	var ids []string
	for _, t := range g.targets {
		ids = append(ids, t.id)
	}
	return slices.Compact(ids)
}

func (g *targetGroup) zones() []string { return g.balancer.zones() }

// needed is about other listeners that lead to the group.
func (g *targetGroup) needed() string {
	for _, l := range g.balancer.otherListeners() {
		if forwards(l) == g.arn {
			return fmt.Sprintf("the load balancer's listener on %s, which is %s, leads to it", portOf(l), lb.NotOurs)
		}
	}
	if g.found == nil {
		return ""
	}
	for _, arn := range g.found.LoadBalancerArns {
		if arn != g.balancer.arn {
			return "in use by " + arn
		}
	}
	return ""
}

func (g *targetGroup) register(ctx context.Context, id string) error {
	_, err := g.elbv2.RegisterTargets(ctx, &elb.RegisterTargetsInput{
		TargetGroupArn: &g.arn, Targets: []types.TargetDescription{{Id: &id, Port: &g.cfg.Port}},
	})
	return err
}

func (g *targetGroup) deregister(ctx context.Context, id string) error {
	return g.deregisterFrom(ctx, id, g.cfg.Port)
}

func (g *targetGroup) deregisterFrom(ctx context.Context, id string, port int32) error {
	_, err := g.elbv2.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{
		TargetGroupArn: &g.arn, Targets: []types.TargetDescription{{Id: &id, Port: &port}},
	})
	return err
}

func (g *targetGroup) registerLine(id string) string { return g.targetLine("register", id, g.cfg.Port) }
func (g *targetGroup) deregisterLine(id string) string {
	return g.targetLine("deregister", id, g.cfg.Port)
}

func (g *targetGroup) targetLine(verb, id string, port int32) string {
	return line("elbv2", verb+"-targets --target-group-arn", g.ref(), "--targets", fmt.Sprintf("Id=%s,Port=%d", id, port))
}

func (g *targetGroup) health(ctx context.Context) (map[string]lb.InstanceHealth, error) {
	all := map[string]lb.InstanceHealth{}
	if g.arn == "" {
		return all, nil
	}
	described, err := g.describeHealth(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range described {
		if d.Target.Port != nil && *d.Target.Port != g.cfg.Port {
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
