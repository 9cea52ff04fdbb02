// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// classicAttributes let connections live, and with Create let every zone's
// address of the balancer reach the controllers of all zones. The API has an idle
// timeout of 60 s and leaves the rest off.
type classicAttributes struct {
	balancer *classic
	// found are what was read.
	found types.LoadBalancerAttributes
}

func (a *classicAttributes) Kind() string { return "attributes" }
func (a *classicAttributes) Name() string { return a.balancer.cfg.LoadBalancer }

// keepSetting is why a deletion leaves a setting; what it was before is not known.
const keepSetting = "a setting that the load balancer has as long as it is there"

func (a *classicAttributes) Read(ctx context.Context) (lb.State, error) {
	a.found = types.LoadBalancerAttributes{}
	if a.balancer.found == nil {
		return lb.State{}, nil
	}
	out, err := a.balancer.elb.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: &a.balancer.cfg.LoadBalancer})
	if err != nil {
		return lb.State{}, err
	}
	if out.LoadBalancerAttributes != nil {
		a.found = *out.LoadBalancerAttributes
	}
	return lb.State{Exists: true, Keep: keepSetting, Changes: a.changes()}, nil
}

// wanted are the attributes that are not as they should be. What a user set
// higher stays.
func (a *classicAttributes) wanted() types.LoadBalancerAttributes {
	cfg, want := a.balancer.cfg, types.LoadBalancerAttributes{}
	if n := seconds(cfg.IdleTimeout); a.idle() < n {
		want.ConnectionSettings = &types.ConnectionSettings{IdleTimeout: &n}
	}
	if n := seconds(cfg.Draining); a.draining() < n {
		want.ConnectionDraining = &types.ConnectionDraining{Enabled: true, Timeout: &n}
	}
	if cfg.Create && !a.crossZone() {
		want.CrossZoneLoadBalancing = &types.CrossZoneLoadBalancing{Enabled: true}
	}
	return want
}

func (a *classicAttributes) changes() []lb.Change {
	want := a.wanted()
	var changes []lb.Change
	if w := want.ConnectionSettings; w != nil {
		changes = append(changes, lb.Change{Field: "idle timeout", Old: number(a.idle()), New: number(*w.IdleTimeout)})
	}
	if w := want.ConnectionDraining; w != nil {
		changes = append(changes, lb.Change{Field: "connection draining", Old: orOff(a.draining()), New: number(*w.Timeout)})
	}
	if w := want.CrossZoneLoadBalancing; w != nil {
		changes = append(changes, lb.Change{Field: "cross-zone balancing", Old: strconv.FormatBool(a.crossZone()), New: strconv.FormatBool(w.Enabled)})
	}
	return changes
}

func (a *classicAttributes) idle() int32 {
	if a.found.ConnectionSettings == nil {
		return 0
	}
	return awssdk.ToInt32(a.found.ConnectionSettings.IdleTimeout)
}

// draining is 0 while it is off.
func (a *classicAttributes) draining() int32 {
	if d := a.found.ConnectionDraining; d != nil && d.Enabled {
		return awssdk.ToInt32(d.Timeout)
	}
	return 0
}

func orOff(n int32) string {
	if n == 0 {
		return "off"
	}
	return number(n)
}

func (a *classicAttributes) crossZone() bool {
	return a.found.CrossZoneLoadBalancing != nil && a.found.CrossZoneLoadBalancing.Enabled
}

func (a *classicAttributes) Create(ctx context.Context) error { return a.Update(ctx) }

func (a *classicAttributes) Update(ctx context.Context) error {
	want := a.wanted()
	_, err := a.balancer.elb.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerName: &a.balancer.cfg.LoadBalancer, LoadBalancerAttributes: &want,
	})
	return err
}

func (a *classicAttributes) Commands(lb.Action) []string {
	// Only what is wanted, as the aws tool reads it.
	want, all := a.wanted(), map[string]any{}
	if w := want.ConnectionSettings; w != nil {
		all["ConnectionSettings"] = map[string]any{"IdleTimeout": *w.IdleTimeout}
	}
	if w := want.ConnectionDraining; w != nil {
		all["ConnectionDraining"] = map[string]any{"Enabled": true, "Timeout": *w.Timeout}
	}
	if w := want.CrossZoneLoadBalancing; w != nil {
		all["CrossZoneLoadBalancing"] = map[string]any{"Enabled": true}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // Numbers and booleans.
	}
	return []string{line("elb modify-load-balancer-attributes --load-balancer-name", lb.Quote(a.balancer.cfg.LoadBalancer), "--load-balancer-attributes", lb.Quote(string(text)))}
}

func seconds(d time.Duration) int32 { return int32(d / time.Second) }
