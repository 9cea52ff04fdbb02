// SPDX-License-Identifier: Apache-2.0

// Package aws is the lab's load balancer on AWS: chapter 8's health check and
// registrations on a classic load balancer, with Create what chapter 3 makes
// too, or instead a network load balancer with its target group.
//
// What it makes bears the tag managed-by=khw-controller where AWS has tags.
package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// account is where and how the API is called.
type account struct {
	ec2   ec2Calls
	elb   *elasticloadbalancing.Client
	elbv2 *elasticloadbalancingv2.Client
	watch *watch
	// What was just let go is in use a little longer: the network interfaces of a
	// deleted load balancer, for one.
	pace lb.Pace
}

// balancer is a load balancer of either type.
type balancer interface {
	lb.Resource
	// address is its DNS name, or "".
	address() string
	// state is AWS's word for how it is, or "".
	state() string
	// listeners are all that it has.
	listeners() []lb.Listener
	// kept reports whether a deletion leaves it, as far as that was asked.
	kept() bool
}

// Cloud is the load balancer of a Config.
type Cloud struct {
	account     *account
	place       place
	config      Config
	resources   []lb.Resource
	balancer    balancer
	pool        pool
	controllers *controllers
	firewall    *firewall
	// stale are asked for what is no longer wanted.
	stale []staleFinder
}

// place is which account's region the API is called for.
type place struct{ id, region string }

func newCloud(c Config, p place, a *account) *Cloud {
	cloud := &Cloud{account: a, place: p, config: c}
	network := &vpc{account: a, name: c.VPC}
	cloud.controllers = &controllers{account: a, vpc: network, names: c.Instances, prune: c.Prune}
	cloud.add(network)
	var subnets []*subnet
	var group *securityGroup
	if c.hasNetwork() {
		use := &usage{account: a, cfg: c, balancer: func() balancer { return cloud.balancer }}
		for _, s := range c.Subnets {
			subnets = append(subnets, &subnet{account: a, cfg: c, vpc: network, usage: use, spec: s})
			cloud.add(subnets[len(subnets)-1])
		}
		cloud.firewall = newFirewall(a, c, network, use, subnets)
		group = cloud.firewall.balancers
		cloud.add(cloud.firewall.resources...)
	}
	if c.Type == NLB {
		cloud.addNLB(network, subnets, group)
	} else {
		cloud.addClassic(network, subnets, group)
	}
	for _, name := range c.Instances {
		cloud.add(&registration{name: name, controllers: cloud.controllers, pool: cloud.pool})
	}
	cloud.stale = append(cloud.stale, &goneMembers{controllers: cloud.controllers, pool: cloud.pool})
	if c.Create {
		cloud.stale = append(cloud.stale, cloud.firewall)
	}
	return cloud
}

// hasNetwork reports whether the subnets and the balancer's own security group
// are needed.
func (c Config) hasNetwork() bool { return c.Create || c.Type == NLB }

func (c *Cloud) add(r ...lb.Resource) { c.resources = append(c.resources, r...) }

func (c *Cloud) addClassic(network *vpc, subnets []*subnet, group *securityGroup) {
	cfg := c.config
	b := &classic{account: c.account, cfg: cfg, vpc: network, subnets: subnets, group: group, controllers: c.controllers}
	c.balancer, c.pool = b, b
	c.add(b, &classicListener{balancer: b})
	if cfg.Create || cfg.IdleTimeout > 0 || cfg.Draining > 0 {
		c.add(&classicAttributes{balancer: b})
	}
	c.add(&classicHealthCheck{balancer: b, want: cfg.HealthCheck})
	if cfg.Create {
		c.stale = append(c.stale, b)
	}
}

func (c *Cloud) addNLB(network *vpc, subnets []*subnet, group *securityGroup) {
	cfg := c.config
	g := &targetGroup{account: c.account, cfg: cfg, vpc: network, controllers: c.controllers}
	b := &networkBalancer{account: c.account, cfg: cfg, vpc: network, subnets: subnets, group: group, target: g}
	g.balancer = b
	c.balancer, c.pool = b, g
	c.add(g, b, &nlbCrossZone{balancer: b}, &nlbListener{balancer: b, target: g})
	c.stale = append(c.stale, b, g)
}

// Where is part of lb.Cloud.
func (c *Cloud) Where() string {
	if c.place.id == "" {
		return "aws, region " + c.place.region
	}
	return "aws, account " + c.place.id + ", region " + c.place.region
}

// Resources is part of lb.Cloud.
func (c *Cloud) Resources() []lb.Resource { return c.resources }

// Address is part of lb.Cloud.
func (c *Cloud) Address() string { return c.balancer.address() }

// Pace is part of lb.Cloud.
func (c *Cloud) Pace() lb.Pace { return c.account.pace }
