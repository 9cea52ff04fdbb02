// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
	"github.com/khw-controller/khw-controller/pkg/lb/aws"
)

// onAWS is the AWS half.
type onAWS struct {
	config  aws.Config
	subnets []string
	set     *pflag.FlagSet
}

func newAWS() *onAWS {
	p := &onAWS{config: aws.Default(), set: pflag.NewFlagSet("aws", pflag.ContinueOnError)}
	c, h := &p.config, &p.config.HealthCheck
	for _, s := range c.Subnets {
		p.subnets = append(p.subnets, s.String())
	}
	f := p.set
	f.StringVar(&c.Profile, "profile", c.Profile, "aws: The `profile` of the AWS configuration. (default AWS_PROFILE)")
	f.StringVar(&c.LoadBalancer, "load-balancer", c.LoadBalancer, "aws: The load balancer's `name`.")
	f.StringVar(&c.VPC, "vpc", c.VPC, "aws: The tag Name or the ID of the controllers' `VPC`.")
	f.StringVar(&h.Target, "health-check-target", h.Target, "aws: What the health check asks, as `PROTOCOL:PORT/PATH`. The lab's HTTP:80/ asks the web server and not Kubernetes.")
	f.Int32Var(&h.Interval, "health-check-interval", h.Interval, "aws: The `seconds` between health checks.")
	f.Int32Var(&h.Timeout, "health-check-timeout", h.Timeout, "aws: The `seconds` that a health check may take.")
	f.Int32Var(&h.HealthyAfter, "healthy-threshold", h.HealthyAfter, "aws: The `number` of good health checks after which a controller gets traffic.")
	f.Int32Var(&h.UnhealthyAfter, "unhealthy-threshold", h.UnhealthyAfter, "aws: The `number` of bad health checks after which it gets none.")
	f.StringArrayVar(&p.subnets, "subnet", p.subnets, "aws: A subnet of the load balancer by its tag Name, as `NAME=CIDR@ZONE`, where --create makes it if it is not there; repeatable. For --create and --type nlb.")
	f.StringVar(&c.SecurityGroup, "security-group", c.SecurityGroup, "aws: The `name` of the load balancer's own security group. For --create and --type nlb.")
	f.StringVar(&c.ControllerGroup, "controller-security-group", c.ControllerGroup, "aws: The `name` of the controllers' security group, which --create lets the load balancer into.")
	f.StringSliceVar(&c.AllowFrom, "allow-from", c.AllowFrom, "aws: The IPv4 `ranges` of the clients that --create lets in.")
	f.DurationVar(&c.DeregistrationDelay, "deregistration-delay", c.DeregistrationDelay, "aws: The `duration` for which the connections of a target that is taken out live on, with --type nlb; more is left as it is, 0 whatever it is.")
	f.StringVar(&c.TargetGroup, "target-group", c.TargetGroup, "aws: The `name` of the target group of --type nlb.")
	return p
}

func (p *onAWS) flags() *pflag.FlagSet { return p.set }
func (p *onAWS) types() []string       { return aws.Types }

func (p *onAWS) complete(shared lb.Options) error {
	p.config.Options = shared
	p.config.Subnets = nil
	for _, s := range p.subnets {
		subnet, err := aws.ParseSubnet(s)
		if err != nil {
			return cli.Usagef("--subnet: %w", err)
		}
		p.config.Subnets = append(p.config.Subnets, subnet)
	}
	if err := p.config.Validate(); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

func (p *onAWS) policy(use lb.Use) (string, error) { return aws.Policy(p.config, use) }

func (p *onAWS) open(ctx context.Context) (lb.Cloud, error) { return aws.New(ctx, p.config) }
