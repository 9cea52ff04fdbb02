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
