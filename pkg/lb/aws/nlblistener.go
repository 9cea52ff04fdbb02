// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// nlbListener forwards the port to the target group.
type nlbListener struct {
	balancer *networkBalancer
	target   *targetGroup

	arn string
	// idle is its idle timeout in seconds; 0 before it is made.
	idle int32
	// replace reports that more than its idle timeout is wrong.
	replace bool
}

// idleKey is the attribute's name; AWS has 350 s where it is not set.
const (
	idleKey     = "tcp.idle_timeout.seconds"
	defaultIdle = 350
)

func (l *nlbListener) Kind() string { return "listener" }
func (l *nlbListener) Name() string { return listenerName(l.balancer.cfg.Port) }

func (l *nlbListener) Read(ctx context.Context) (lb.State, error) {
	l.arn, l.idle = "", 0
	if l.balancer.arn == "" {
		return lb.State{}, nil
	}
	if err := l.balancer.readListeners(ctx); err != nil {
		return lb.State{}, err
	}
	for _, found := range l.balancer.all {
		if awssdk.ToInt32(found.Port) == l.balancer.cfg.Port {
			return l.compare(ctx, found)
		}
	}
	return lb.State{}, nil
}

func (l *nlbListener) compare(ctx context.Context, found types.Listener) (lb.State, error) {
	l.arn = awssdk.ToString(found.ListenerArn)
	want := l.target.arn
	if want == "" {
		want = l.target.cfg.TargetGroup
	}
	state := lb.State{Exists: true, Ours: l.balancer.ours[l.arn], Changes: differences(
		field{"protocol", string(found.Protocol), string(types.ProtocolEnumTcp)},
		field{"target group", forwards(found), want},
	)}
	if l.replace = len(state.Changes) > 0; l.balancer.cfg.IdleTimeout == 0 || found.Protocol != types.ProtocolEnumTcp {
		return state, nil
	}
	if err := l.readIdle(ctx); err != nil {
		return lb.State{}, err
	}
	if n := seconds(l.balancer.cfg.IdleTimeout); l.idle < n {
		state.Changes = append(state.Changes, lb.Change{Field: "idle timeout", Old: number(l.idle), New: number(n)})
	}
	return state, nil
}

func (l *nlbListener) readIdle(ctx context.Context) error {
	out, err := l.balancer.elbv2.DescribeListenerAttributes(ctx, &elb.DescribeListenerAttributesInput{ListenerArn: &l.arn})
	if err != nil {
		return err
	}
	l.idle = defaultIdle
	for _, a := range out.Attributes {
		if n, err := strconv.ParseInt(awssdk.ToString(a.Value), 10, 32); awssdk.ToString(a.Key) == idleKey && err == nil {
			l.idle = int32(n)
		}
	}
	return nil
}

func (l *nlbListener) forward() []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &l.target.arn}}
}

func (l *nlbListener) Create(ctx context.Context) error {
	out, err := l.balancer.elbv2.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: &l.balancer.arn, Protocol: types.ProtocolEnumTcp, Port: &l.balancer.cfg.Port,
		DefaultActions: l.forward(), Tags: nlbTags(),
	})
	if err != nil {
		return err
	}
	l.arn = awssdk.ToString(out.Listeners[0].ListenerArn)
	return l.raiseIdle(ctx)
}

func (l *nlbListener) Update(ctx context.Context) error {
	if l.replace {
		_, err := l.balancer.elbv2.ModifyListener(ctx, &elb.ModifyListenerInput{
			ListenerArn: &l.arn, Protocol: types.ProtocolEnumTcp, Port: &l.balancer.cfg.Port, DefaultActions: l.forward(),
		})
		if err != nil {
			return err
		}
	}
	return l.raiseIdle(ctx)
}

func (l *nlbListener) raiseIdle(ctx context.Context) error {
	if l.idle >= seconds(l.balancer.cfg.IdleTimeout) {
		return nil
	}
	_, err := l.balancer.elbv2.ModifyListenerAttributes(ctx, &elb.ModifyListenerAttributesInput{
		ListenerArn: &l.arn,
		Attributes:  []types.ListenerAttribute{{Key: awssdk.String(idleKey), Value: awssdk.String(number(seconds(l.balancer.cfg.IdleTimeout)))}},
	})
	return err
}

func (l *nlbListener) Delete(ctx context.Context) error { return l.balancer.deleteListener(ctx, l.arn) }

func (l *nlbListener) Commands(a lb.Action) []string {
	forward := "--default-actions Type=forward,TargetGroupArn=" + l.target.ref()
	variable := variable("listener", l.Name())
	words := []string{"--protocol TCP --port", number(l.balancer.cfg.Port), forward}
	var lines []string
	switch {
	case a == lb.Delete:
		return []string{deleteListenerLine(l.arn)}
	case a == lb.Create:
		words = append([]string{"elbv2 create-listener --load-balancer-arn", l.balancer.ref()}, append(words, "--tags", markTag)...)
		lines = append(lines, capture(variable, "Listeners[0].ListenerArn", words...))
	case l.replace:
		lines = append(lines, line(append([]string{"elbv2 modify-listener --listener-arn", l.arn}, words...)...))
	}
	if n := seconds(l.balancer.cfg.IdleTimeout); l.idle < n {
		lines = append(lines, line("elbv2 modify-listener-attributes --listener-arn", reference(l.arn, variable), "--attributes", "Key="+idleKey+",Value="+number(n)))
	}
	return lines
}
