// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultIsTheLab(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(c.SourceRanges, ","); got != "209.85.152.0/22,209.85.204.0/22,35.191.0.0/16" {
		t.Errorf("the lab has other ranges than %s", got)
	}
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		spoil func(*Config)
		says  string
	}{
		"a type of the other cloud":     {func(c *Config) { c.Type = "nlb" }, "--type"},
		"a name in capitals":            {func(c *Config) { c.TargetPool = "Pool" }, "--target-pool"},
		"a name that is too long":       {func(c *Config) { c.Address = strings.Repeat("a", 64) }, "--address"},
		"no name":                       {func(c *Config) { c.ForwardingRule = "" }, "--forwarding-rule"},
		"a controller with a zone":      {func(c *Config) { c.Instances[1] = "us-west1-a/controller-1" }, "--instances"},
		"no controllers":                {func(c *Config) { c.Instances = nil }, "--instances"},
		"a region that is none":         {func(c *Config) { c.Region = "US" }, "--region"},
		"a port that is none":           {func(c *Config) { c.Port = 65536 }, "--port"},
		"a health check port of 0":      {func(c *Config) { c.HealthCheckPort = 0 }, "--health-check-port"},
		"a relative path":               {func(c *Config) { c.HealthCheckPath = "healthz" }, "--health-check-path"},
		"no ranges":                     {func(c *Config) { c.SourceRanges = nil }, "--source-ranges"},
		"an address as a range":         {func(c *Config) { c.SourceRanges = []string{"35.191.0.1"} }, "--source-ranges"},
		"a range with host bits":        {func(c *Config) { c.SourceRanges = []string{"35.191.0.1/16"} }, "--source-ranges"},
		"a zone":                        {func(c *Config) { c.Region = "us-west1-a" }, "its region is us-west1"},
		"no interval":                   {func(c *Config) { c.HealthCheckInterval = 0 }, "--health-check-interval"},
		"a timeout beyond the interval": {func(c *Config) { c.HealthCheckTimeout = 6 }, "--health-check-timeout: gcp takes 1 to 5"},
		"a threshold of 0":              {func(c *Config) { c.HealthyAfter = 0 }, "--healthy-threshold"},
		"a threshold of 11":             {func(c *Config) { c.UnhealthyAfter = 11 }, "--unhealthy-threshold"},
		"a priority that is none":       {func(c *Config) { c.FirewallPriority = -1 }, "--firewall-priority"},
		"draining for too long":         {func(c *Config) { c.Draining = 2 * time.Hour }, "--connection-draining"},
		"an affinity that is none":      {func(c *Config) { c.SessionAffinity = "COOKIE" }, "--session-affinity"},
		"no time":                       {func(c *Config) { c.RequestTimeout = 0 }, "--request-timeout"},
		"an endpoint without its path":  {func(c *Config) { c.Endpoint = "https://compute.example.com" }, "/compute/v1/"},
		"an endpoint that is no URL":    {func(c *Config) { c.Endpoint = "compute/v1/" }, "/compute/v1/"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := Default()
			test.spoil(&c)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q in it", err, test.says)
			}
		})
	}
}
