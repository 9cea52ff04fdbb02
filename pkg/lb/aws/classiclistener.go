// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// classicListener is the listener of a classic load balancer. Without Create it
// is only looked up, but has to be right: else nobody is served.
type classicListener struct{ balancer *classic }

func (l *classicListener) Kind() string { return "listener" }
func (l *classicListener) Name() string { return listenerName(l.balancer.cfg.Port) }

func listenerName(port int32) string { return "tcp/" + number(port) }

func (l *classicListener) Read(context.Context) (lb.State, error) {
	b := l.balancer
	found := b.listener()
	state := lb.State{Exists: found != nil, ReadOnly: !b.cfg.Create, Ours: b.ours()}
	if found != nil {
		state.Changes = listenerDrift(found, b.wantedListener())
	}
	if b.found != nil && !b.cfg.Create {
		state.Problem = l.unserved(found, state.Changes)
	}
	return state, nil
}

func listenerDrift(found *types.Listener, want types.Listener) []lb.Change {
	// The lab writes tcp, the API answers TCP.
	return differences(
		field{"protocol", strings.ToUpper(awssdk.ToString(found.Protocol)), *want.Protocol},
		field{"instance protocol", strings.ToUpper(awssdk.ToString(found.InstanceProtocol)), *want.InstanceProtocol},
		field{"instance port", number(awssdk.ToInt32(found.InstancePort)), number(*want.InstancePort)},
	)
}

// unserved says why a listener that is not to be changed serves nobody, or is "".
func (l *classicListener) unserved(found *types.Listener, drift []lb.Change) string {
	cfg := l.balancer.cfg
	const fix = "use --create to have it as it should be, or another --port or --load-balancer"
	switch {
	case found == nil:
		return fmt.Sprintf("load balancer %s does not listen on %d, so nobody is served; %s", cfg.LoadBalancer, cfg.Port, fix)
	case len(drift) > 0:
		return fmt.Sprintf("load balancer %s has %s on %d for %s, so nobody is served; %s", cfg.LoadBalancer, awssdk.ToString(found.Protocol), cfg.Port, backend(found), fix)
	}
	return ""
}

// Create has nothing to do for a load balancer that was just created with its
// listener.
func (l *classicListener) Create(ctx context.Context) error {
	if l.balancer.listener() != nil {
		return nil
	}
	return l.add(ctx)
}

// add marks it first: a mark without a listener is no matter.
func (l *classicListener) add(ctx context.Context) error {
	b := l.balancer
	if b.ours() {
		_, err := b.elb.AddTags(ctx, &elb.AddTagsInput{LoadBalancerNames: []string{b.cfg.LoadBalancer}, Tags: []types.Tag{b.listenerTag(b.cfg.Port)}})
		if err != nil {
			return err
		}
	}
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
	return l.balancer.deleteListener(ctx, l.balancer.cfg.Port)
}

func (l *classicListener) Commands(a lb.Action) []string {
	b := l.balancer
	var lines []string
	if a != lb.Create {
		lines = append(lines, b.deleteListenerLine(b.cfg.Port))
	}
	if a == lb.Delete || a == lb.Create && b.found == nil {
		return lines // It is created with its load balancer.
	}
	name := lb.Quote(b.cfg.LoadBalancer)
	if b.ours() {
		lines = append(lines, line("elb add-tags --load-balancer-names", name, "--tags", b.listenerTagWords(b.cfg.Port)))
	}
	return append(lines, line("elb create-load-balancer-listeners --load-balancer-name", name, "--listeners", b.listenerWords()))
}
