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

// What follows is about all listeners of a classic load balancer. The API has no
// tags for them: those of the load balancer tell which ones are ours.

const listenerTagPrefix = lb.OwnerKey + "/listener-"

func (c *classic) listenerTag(port int32) types.Tag {
	return types.Tag{Key: awssdk.String(listenerTagPrefix + number(port)), Value: awssdk.String(lb.Owner)}
}

func (c *classic) listenerTagWords(port int32) string {
	return "Key=" + listenerTagPrefix + number(port) + ",Value=" + lb.Owner
}

// listener is the one on the port, or nil.
func (c *classic) listener() *types.Listener {
	for _, l := range c.all() {
		if l.LoadBalancerPort == c.cfg.Port {
			return l
		}
	}
	return nil
}

func (c *classic) all() []*types.Listener {
	var all []*types.Listener
	if c.found != nil {
		for _, d := range c.found.ListenerDescriptions {
			all = append(all, d.Listener)
		}
	}
	return all
}

// otherListeners are those on other ports that are not ours.
func (c *classic) otherListeners() []*types.Listener {
	var others []*types.Listener
	for _, l := range c.all() {
		if l.LoadBalancerPort != c.cfg.Port && !c.madeListener(l) {
			others = append(others, l)
		}
	}
	return others
}

func (c *classic) madeListener(l *types.Listener) bool {
	return c.ours() && c.tags[listenerTagPrefix+number(l.LoadBalancerPort)] == lb.Owner
}

// findStale are the listeners of ours on other ports.
func (c *classic) findStale(context.Context) ([]lb.Resource, error) {
	var all []lb.Resource
	for _, l := range c.all() {
		if port := l.LoadBalancerPort; port != c.cfg.Port && c.madeListener(l) {
			all = append(all, &stale{
				kind: "listener", name: listenerName(port),
				delete: func(ctx context.Context) error { return c.deleteListener(ctx, port) },
				line:   func() string { return c.deleteListenerLine(port) },
			})
		}
	}
	return all, nil
}

func (c *classic) deleteListener(ctx context.Context, port int32) error {
	_, err := c.elb.DeleteLoadBalancerListeners(ctx, &elb.DeleteLoadBalancerListenersInput{LoadBalancerName: &c.cfg.LoadBalancer, LoadBalancerPorts: []int32{port}})
	return err
}

func (c *classic) deleteListenerLine(port int32) string {
	return line("elb delete-load-balancer-listeners --load-balancer-name", lb.Quote(c.cfg.LoadBalancer), "--load-balancer-ports", number(port))
}

func (c *classic) wantedListener() types.Listener {
	return types.Listener{
		Protocol: awssdk.String("TCP"), LoadBalancerPort: c.cfg.Port,
		InstanceProtocol: awssdk.String("TCP"), InstancePort: &c.cfg.Port,
	}
}

func (c *classic) listenerWords() string {
	return fmt.Sprintf("Protocol=TCP,LoadBalancerPort=%d,InstanceProtocol=TCP,InstancePort=%d", c.cfg.Port, c.cfg.Port)
}

func (c *classic) listeners() []lb.Listener {
	var all []lb.Listener
	for _, l := range c.all() {
		serves := l.LoadBalancerPort == c.cfg.Port && len(listenerDrift(l, c.wantedListener())) == 0
		all = append(all, lb.Listener{Protocol: strings.ToLower(awssdk.ToString(l.Protocol)), Port: number(l.LoadBalancerPort), Target: backend(l), Serves: serves})
	}
	return all
}

func port(l *types.Listener) string {
	return strings.ToLower(awssdk.ToString(l.Protocol)) + "/" + number(l.LoadBalancerPort)
}

func backend(l *types.Listener) string {
	return strings.ToLower(awssdk.ToString(l.InstanceProtocol)) + "/" + number(awssdk.ToInt32(l.InstancePort))
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

// number leaves out what is not set: no field of those that are compared is 0.
func number(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}
