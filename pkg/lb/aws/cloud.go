// SPDX-License-Identifier: Apache-2.0

// Package aws is the lab's load balancer on AWS: chapter 8's health check and
// registrations on a classic load balancer, with Create what chapter 3 makes
// too, or instead a network load balancer with its target group.
//
// What it makes bears the tag managed-by=khw-controller where AWS has tags.
package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go/logging"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// attempts is how often a call is made that is throttled, fails in the service
// or times out, unless AWS_MAX_ATTEMPTS or the profile says otherwise. The
// SDK's 3 are gone within two seconds of throttling.
const attempts = 8

// account is where and how the API is called.
type account struct {
	ec2   ec2Calls
	elb   *elasticloadbalancing.Client
	elbv2 *elasticloadbalancingv2.Client
	// What was just let go is in use a little longer: the network interfaces of a
	// deleted load balancer, for one.
	pace lb.Pace
}

// balancer is a load balancer of either type.
type balancer interface {
	lb.Resource
	// address is its DNS name, or "".
	address() string
}

// Cloud is the load balancer of a Config.
type Cloud struct {
	account     *account
	region      string
	resources   []lb.Resource
	balancer    balancer
	pool        pool
	controllers *controllers
}

// New finds credentials and region, and makes no other call. Config has to be
// valid.
func New(ctx context.Context, c Config) (*Cloud, error) {
	sdk, err := load(ctx, c)
	if err != nil {
		return nil, err
	}
	return newCloud(c, sdk.Region, &account{
		ec2:   newEC2Calls(ec2.NewFromConfig(sdk)),
		elb:   elasticloadbalancing.NewFromConfig(sdk),
		elbv2: elasticloadbalancingv2.NewFromConfig(sdk),
		pace:  lb.Pace{Pause: 5 * time.Second, Patience: 5 * time.Minute},
	}), nil
}

func load(ctx context.Context, c Config) (awssdk.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(c.RequestTimeout)),
		// It warns on stderr of what comes back as an error, or is no matter.
		config.WithLogger(logging.Nop{}),
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	sdk, err := config.LoadDefaultConfig(ctx, options...)
	var noProfile config.SharedConfigProfileNotExistError
	switch {
	case errors.As(err, &noProfile):
		return sdk, fmt.Errorf("--profile %s: there is no such profile; aws configure list-profiles shows them", noProfile.Profile)
	case err != nil:
		return sdk, fmt.Errorf("reading the AWS configuration: %s", oneLine(err.Error()))
	case sdk.Region == "":
		sdk.Region = ownRegion(ctx, sdk)
	}
	if sdk.Region == "" {
		return sdk, errors.New("no AWS region is set; use --region, AWS_REGION or aws configure")
	}
	if _, err := sdk.Credentials.Retrieve(ctx); err != nil {
		return sdk, fmt.Errorf("no AWS credentials: %s; run aws configure or aws sso login, name a --profile, or give this instance a role", oneLine(err.Error()))
	}
	if sdk.RetryMaxAttempts == 0 {
		sdk.RetryMaxAttempts = attempts
	}
	return sdk, nil
}

// ownRegion is the one that this machine is in, or "" elsewhere than on AWS.
func ownRegion(ctx context.Context, sdk awssdk.Config) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := imds.NewFromConfig(sdk).GetRegion(ctx, &imds.GetRegionInput{})
	if err != nil {
		return ""
	}
	return out.Region
}

func newCloud(c Config, region string, a *account) *Cloud {
	cloud := &Cloud{account: a, region: region}
	network := &vpc{account: a, name: c.VPC}
	cloud.controllers = &controllers{account: a, vpc: network, names: c.Instances}
	cloud.add(network)
	var groups firewall
	var subnets []*subnet
	if c.Create || c.Type == NLB {
		for _, s := range c.Subnets {
			subnets = append(subnets, &subnet{account: a, cfg: c, vpc: network, spec: s})
			cloud.add(subnets[len(subnets)-1])
		}
		groups = newFirewall(a, c, network, subnets)
		cloud.add(groups.resources...)
	}
	if c.Type == NLB {
		cloud.addNLB(c, a, network, subnets, groups.balancers)
	} else {
		cloud.addClassic(c, a, network, subnets, groups.balancers)
	}
	for _, name := range c.Instances {
		cloud.add(&registration{name: name, controllers: cloud.controllers, pool: cloud.pool})
	}
	return cloud
}

func (c *Cloud) add(r ...lb.Resource) { c.resources = append(c.resources, r...) }

func (c *Cloud) addClassic(cfg Config, a *account, network *vpc, subnets []*subnet, group *securityGroup) {
	b := &classic{account: a, cfg: cfg, vpc: network, subnets: subnets, group: group, controllers: c.controllers}
	c.balancer, c.pool = b, b
	c.add(b)
	if cfg.Create {
		c.add(&classicListener{balancer: b}, &classicCrossZone{balancer: b})
	}
	c.add(&classicHealthCheck{balancer: b, want: cfg.HealthCheck})
}

func (c *Cloud) addNLB(cfg Config, a *account, network *vpc, subnets []*subnet, group *securityGroup) {
	g := &targetGroup{account: a, cfg: cfg, vpc: network, controllers: c.controllers}
	b := &networkBalancer{account: a, cfg: cfg, vpc: network, subnets: subnets, group: group}
	g.balancer = b
	c.balancer, c.pool = b, g
	c.add(g, b, &nlbCrossZone{balancer: b}, &nlbListener{balancer: b, target: g})
}

// Where is part of lb.Cloud.
func (c *Cloud) Where() string { return "aws, region " + c.region }

// Resources is part of lb.Cloud.
func (c *Cloud) Resources() []lb.Resource { return c.resources }

// Address is part of lb.Cloud.
func (c *Cloud) Address() string { return c.balancer.address() }

// Health is part of lb.Cloud.
func (c *Cloud) Health(ctx context.Context) ([]lb.InstanceHealth, error) {
	reported, err := c.pool.health(ctx)
	if err != nil {
		return nil, c.Explain(err)
	}
	var all []lb.InstanceHealth
	ours := map[string]bool{}
	for _, name := range c.controllers.names {
		id := c.controllers.id(name)
		h, ok := reported[id]
		if !ok {
			h = lb.InstanceHealth{State: "not registered"}
		}
		h.Name, h.ID, h.Ours = name, id, true
		ours[id] = true
		all = append(all, h)
	}
	for _, id := range sortedKeys(reported) {
		if h := reported[id]; !ours[id] {
			h.Name = id
			all = append(all, h)
		}
	}
	return all, nil
}

// Stale is part of lb.Cloud.
func (c *Cloud) Stale(context.Context) ([]lb.Resource, error) { return nil, nil }

// Pace is part of lb.Cloud.
func (c *Cloud) Pace() lb.Pace { return c.account.pace }

// Preamble is part of lb.Cloud.
func (c *Cloud) Preamble() []string {
	return []string{"export AWS_DEFAULT_REGION=" + lb.Quote(c.region)}
}

// Status is part of lb.Cloud.
func (c *Cloud) Status(ctx context.Context) (lb.Status, error) {
	targets, err := c.Health(ctx)
	s := lb.Status{Where: c.Where(), Kind: c.balancer.Kind(), Name: c.balancer.Name(), Targets: targets}
	if dns := c.Address(); dns != "" {
		s.Addresses = []string{dns}
	}
	return s, err
}
