// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"cmp"
	"context"
	"os"

	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
	"github.com/khw-controller/khw-controller/pkg/lb/gcp"
)

// onGCP is the GCP half.
type onGCP struct {
	config gcp.Config
	set    *pflag.FlagSet
}

func newGCP() *onGCP {
	p := &onGCP{config: gcp.Default(), set: pflag.NewFlagSet("gcp", pflag.ContinueOnError)}
	c := &p.config
	f := p.set
	f.StringVar(&c.Project, "project", c.Project, "gcp: The `project`. (default GOOGLE_CLOUD_PROJECT, CLOUDSDK_CORE_PROJECT, else the one that this machine is in)")
	f.StringVar(&c.Network, "network", c.Network, "gcp: The `name` of the controllers' network.")
	f.StringVar(&c.Address, "address", c.Address, "gcp: The `name` of the reserved address.")
	f.StringVar(&c.HealthCheck, "health-check", c.HealthCheck, "gcp: The `name` of the health check.")
	f.StringVar(&c.HealthCheckHost, "health-check-host", c.HealthCheckHost, "gcp: The `host` that the health check asks for.")
	f.StringVar(&c.HealthCheckPath, "health-check-path", c.HealthCheckPath, "gcp: The `path` that the health check asks for.")
	f.Int32Var(&c.HealthCheckPort, "health-check-port", c.HealthCheckPort, "gcp: The `port` that the health check asks on.")
	f.StringVar(&c.FirewallRule, "firewall-rule", c.FirewallRule, "gcp: The `name` of the firewall rule that lets the health checks in.")
	f.StringSliceVar(&c.SourceRanges, "source-ranges", c.SourceRanges, "gcp: The `ranges` that the health checks come from.")
	f.StringVar(&c.TargetPool, "target-pool", c.TargetPool, "gcp: The `name` of the target pool of --type target-pool.")
	f.StringVar(&c.BackendService, "backend-service", c.BackendService, "gcp: The `name` of the backend service of --type backend-service.")
	f.StringVar(&c.InstanceGroup, "instance-group", c.InstanceGroup, "gcp: The `name` of the instance groups of --type backend-service.")
	f.StringVar(&c.ForwardingRule, "forwarding-rule", c.ForwardingRule, "gcp: The `name` of the forwarding rule.")
	return p
}

func (p *onGCP) flags() *pflag.FlagSet { return p.set }
func (p *onGCP) types() []string       { return gcp.Types }

// complete takes what no flag says from the variables that gcloud and Google's
// client libraries read.
func (p *onGCP) complete(shared lb.Options) error {
	c := &p.config
	c.Options = shared
	c.Endpoint = os.Getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE")
	c.Project = cmp.Or(c.Project, os.Getenv("GOOGLE_CLOUD_PROJECT"), os.Getenv("CLOUDSDK_CORE_PROJECT"))
	c.Region = cmp.Or(c.Region, os.Getenv("CLOUDSDK_COMPUTE_REGION"))
	if err := c.Validate(); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

func (p *onGCP) policy(use lb.Use) (string, error) { return gcp.Policy(p.config, use.Delete), nil }

// open takes what is still missing from the metadata service.
func (p *onGCP) open(ctx context.Context) (lb.Cloud, error) {
	c := &p.config
	if c.Project == "" || c.Region == "" {
		// Elsewhere than on GCP nothing is found, and New asks for the flags.
		place, _ := gcp.Detect(ctx)
		c.Project, c.Region = cmp.Or(c.Project, place.Project), cmp.Or(c.Region, place.Region)
	}
	return gcp.New(ctx, *c)
}
