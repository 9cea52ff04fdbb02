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
	c, f := &p.config, p.set
	f.StringVar(&c.Project, "project", c.Project, "gcp: The `ID` of the project. (default CLOUDSDK_CORE_PROJECT, GOOGLE_CLOUD_PROJECT, or the one that this machine is in)")
	f.StringVar(&c.Network, "network", c.Network, "gcp: The `name` of the controllers' network.")
	f.StringVar(&c.Address, "address", c.Address, "gcp: The `name` of the reserved address, which --create reserves.")
	f.StringVar(&c.HealthCheck, "health-check", c.HealthCheck, "gcp: The health check's `name`.")
	f.StringVar(&c.HealthCheckHost, "health-check-host", c.HealthCheckHost, "gcp: The `host` that the health check asks for.")
	f.StringVar(&c.HealthCheckPath, "health-check-path", c.HealthCheckPath, "gcp: The `path` that the health check asks for.")
	f.Int32Var(&c.HealthCheckPort, "health-check-port", c.HealthCheckPort, "gcp: The `port` that the health check asks.")
	f.StringVar(&c.FirewallRule, "firewall-rule", c.FirewallRule, "gcp: The `name` of the rule that lets the health checks in.")
	f.StringSliceVar(&c.SourceRanges, "source-ranges", c.SourceRanges, "gcp: The `ranges` that the health checks come from.")
	f.StringVar(&c.TargetPool, "target-pool", c.TargetPool, "gcp: The target pool's `name`.")
	f.StringVar(&c.ForwardingRule, "forwarding-rule", c.ForwardingRule, "gcp: The forwarding rule's `name`.")
	f.StringVar(&c.BackendService, "backend-service", c.BackendService, "gcp: The `name` of the backend service of --type backend-service.")
	f.StringVar(&c.InstanceGroup, "instance-group", c.InstanceGroup, "gcp: The `name` that the group of each zone has with --type backend-service.")
	return p
}

func (p *onGCP) flags() *pflag.FlagSet { return p.set }
func (p *onGCP) types() []string       { return gcp.Types }

// complete takes the variables that gcloud and Google's SDKs know.
func (p *onGCP) complete(_ context.Context, shared lb.Options) error {
	c := &p.config
	c.Options = shared
	c.Project = cmp.Or(c.Project, os.Getenv("CLOUDSDK_CORE_PROJECT"), os.Getenv("GOOGLE_CLOUD_PROJECT"))
	c.Region = cmp.Or(c.Region, os.Getenv("CLOUDSDK_COMPUTE_REGION"))
	if zone := os.Getenv("CLOUDSDK_COMPUTE_ZONE"); c.Region == "" && zone != "" {
		c.Region = gcp.RegionOf(zone)
	}
	c.Endpoint = os.Getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE")
	if err := c.Validate(); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

func (p *onGCP) policy(deletion bool) (string, error) { return gcp.Policy(p.config, deletion), nil }

// open asks the metadata service for what is not said otherwise.
func (p *onGCP) open(ctx context.Context) (lb.Cloud, error) {
	c := &p.config
	if c.Project == "" || c.Region == "" {
		// That this machine is none of GCP's is no failure: then it is said below.
		place, _ := gcp.Detect(ctx)
		c.Project, c.Region = cmp.Or(c.Project, place.Project), cmp.Or(c.Region, place.Region)
	}
	switch {
	case c.Project == "":
		return nil, cli.Usagef("no GCP project is set; use --project, CLOUDSDK_CORE_PROJECT or GOOGLE_CLOUD_PROJECT")
	case c.Region == "":
		return nil, cli.Usagef("no GCP region is set; use --region, CLOUDSDK_COMPUTE_REGION or CLOUDSDK_COMPUTE_ZONE")
	}
	return gcp.New(ctx, *c)
}
