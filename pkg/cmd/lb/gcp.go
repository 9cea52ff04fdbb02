// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"cmp"
	"context"
	"os"
	"strings"

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
	f.StringVar(&c.Project, "project", c.Project, "gcp: The `project`. (default GOOGLE_CLOUD_PROJECT, that of gcloud's active configuration, else the one that this machine is in)")
	f.StringVar(&c.Network, "network", c.Network, "gcp: The `name` of the controllers' network.")
	f.StringVar(&c.Address, "address", c.Address, "gcp: The `name` of the reserved address.")
	f.StringVar(&c.HealthCheck, "health-check", c.HealthCheck, "gcp: The `name` of the health check.")
	f.StringVar(&c.HealthCheckHost, "health-check-host", c.HealthCheckHost, "gcp: The `host` that the health check asks for.")
	f.StringVar(&c.HealthCheckPath, "health-check-path", c.HealthCheckPath, "gcp: The `path` that the health check asks for.")
	f.Int32Var(&c.HealthCheckPort, "health-check-port", c.HealthCheckPort, "gcp: The `port` that the health check asks on.")
	f.Int32Var(&c.HealthCheckInterval, "health-check-interval", c.HealthCheckInterval, "gcp: The `seconds` between health checks.")
	f.Int32Var(&c.HealthCheckTimeout, "health-check-timeout", c.HealthCheckTimeout, "gcp: The `seconds` that a health check may take.")
	f.Int32Var(&c.HealthyAfter, "healthy-threshold", c.HealthyAfter, "gcp: The `number` of good health checks after which a controller gets traffic.")
	f.Int32Var(&c.UnhealthyAfter, "unhealthy-threshold", c.UnhealthyAfter, "gcp: The `number` of bad health checks after which it gets none.")
	f.StringVar(&c.SessionAffinity, "session-affinity", c.SessionAffinity, "gcp: The `affinity` of a client's connections to one controller: "+strings.Join(gcp.SessionAffinities, ", ")+".")
	f.StringVar(&c.FirewallRule, "firewall-rule", c.FirewallRule, "gcp: The `name` of the firewall rule that lets the health checks in.")
	f.StringSliceVar(&c.SourceRanges, "source-ranges", c.SourceRanges, "gcp: The `ranges` that the health checks come from.")
	f.Int32Var(&c.FirewallPriority, "firewall-priority", c.FirewallPriority, "gcp: The `priority` of the firewall rule; the lowest counts.")
	f.StringVar(&c.TargetPool, "target-pool", c.TargetPool, "gcp: The `name` of the target pool of --type target-pool.")
	f.StringVar(&c.BackendService, "backend-service", c.BackendService, "gcp: The `name` of the backend service of --type backend-service.")
	f.StringVar(&c.InstanceGroup, "instance-group", c.InstanceGroup, "gcp: The `name` of the instance groups of --type backend-service.")
	f.StringVar(&c.ForwardingRule, "forwarding-rule", c.ForwardingRule, "gcp: The `name` of the forwarding rule.")
	return p
}

func (p *onGCP) flags() *pflag.FlagSet { return p.set }
func (p *onGCP) types() []string       { return gcp.Types }

// complete takes what no flag says from the variables that Google's client
// libraries read, and from gcloud's configuration.
func (p *onGCP) complete(shared lb.Options) error {
	g, err := gcp.LoadGcloud(os.Getenv)
	if err != nil {
		return err
	}
	c := &p.config
	c.Options = shared
	c.Endpoint = g.Property("api_endpoint_overrides/compute")
	c.Project = cmp.Or(c.Project, os.Getenv("GOOGLE_CLOUD_PROJECT"), g.Property("core/project"))
	c.Region = cmp.Or(c.Region, g.Property("compute/region"))
	c.Credentials = g.Credentials()
	if err := c.Validate(); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

func (p *onGCP) policy(use lb.Use) (string, error) { return gcp.Policy(p.config, use), nil }

// open takes what is still missing from the metadata service.
func (p *onGCP) open(ctx context.Context) (lb.Cloud, error) {
	c := &p.config
	if c.Project == "" || c.Region == "" {
		c.Tell("the metadata service of GCP")
		// Elsewhere than on GCP nothing is found, and New asks for the flags.
		place, _ := gcp.Detect(ctx)
		c.Project, c.Region = cmp.Or(c.Project, place.Project), cmp.Or(c.Region, place.Region)
	}
	return gcp.New(ctx, *c)
}
