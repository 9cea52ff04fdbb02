// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// What follows is about all listeners of a network load balancer.

// otherListeners are those on other ports that are not ours.
func (b *networkBalancer) otherListeners() []types.Listener {
	var others []types.Listener
	for _, l := range b.all {
		if awssdk.ToInt32(l.Port) != b.cfg.Port && !b.ours[awssdk.ToString(l.ListenerArn)] {
			others = append(others, l)
		}
	}
	return others
}

// findStale are the listeners of ours on other ports.
func (b *networkBalancer) findStale(context.Context) ([]lb.Resource, error) {
	var all []lb.Resource
	for _, l := range b.all {
		if arn := awssdk.ToString(l.ListenerArn); awssdk.ToInt32(l.Port) != b.cfg.Port && b.ours[arn] {
			all = append(all, &stale{
				kind: "listener", name: portOf(l),
				delete: func(ctx context.Context) error { return b.deleteListener(ctx, arn) },
				line:   func() string { return deleteListenerLine(arn) },
			})
		}
	}
	return all, nil
}

func (b *networkBalancer) deleteListener(ctx context.Context, arn string) error {
	_, err := b.elbv2.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: &arn})
	return err
}

func deleteListenerLine(arn string) string { return line("elbv2 delete-listener --listener-arn", arn) }

func (b *networkBalancer) listeners() []lb.Listener {
	var all []lb.Listener
	for _, l := range b.all {
		serves := awssdk.ToInt32(l.Port) == b.cfg.Port && l.Protocol == types.ProtocolEnumTcp && b.target.arn != "" && forwards(l) == b.target.arn
		all = append(all, lb.Listener{Protocol: strings.ToLower(string(l.Protocol)), Port: number(awssdk.ToInt32(l.Port)), Target: targetOf(l), Serves: serves})
	}
	return all
}

func portOf(l types.Listener) string {
	return strings.ToLower(string(l.Protocol)) + "/" + number(awssdk.ToInt32(l.Port))
}

// forwards is the ARN of the target group that a listener leads to, or "".
func forwards(l types.Listener) string {
	for _, a := range l.DefaultActions {
		if arn := awssdk.ToString(a.TargetGroupArn); arn != "" {
			return arn
		}
	}
	return ""
}

// targetOf is the name in that ARN, arn:…:targetgroup/NAME/ID.
func targetOf(l types.Listener) string {
	parts := strings.Split(forwards(l), "/")
	if len(parts) < 3 {
		return forwards(l)
	}
	return parts[1]
}
