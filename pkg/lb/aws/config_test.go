// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseSubnet(t *testing.T) {
	for text, want := range map[string]Subnet{
		"a":                        {Name: "a"},
		"a=10.240.0.0/24":          {Name: "a", CIDR: "10.240.0.0/24"},
		"a=10.240.0.0/24@us-west1": {Name: "a", CIDR: "10.240.0.0/24", Zone: "us-west1"},
	} {
		got, err := ParseSubnet(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s is read as %+v (%v), and written as %s", text, got, err, got)
		}
	}
	for _, text := range []string{"", "=10.240.0.0/24", "a=10.240.0.1/24", "a=fd00::/64", "a=x"} {
		if got, err := ParseSubnet(text); err == nil || !strings.Contains(err.Error(), "NAME=CIDR@ZONE") {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for says, change := range map[string]func(*Config){
		"":                                               func(*Config) {},
		"--health-check-target: \"80\"":                  func(c *Config) { c.HealthCheck.Target = "80" },
		"--health-check-target: \"HTTP:80\"":             func(c *Config) { c.HealthCheck.Target = "HTTP:80" },
		"--health-check-target: \"TCP:80/x\"":            func(c *Config) { c.HealthCheck.Target = "TCP:80/x" },
		"--health-check-target: \"HTTP:0/\"":             func(c *Config) { c.HealthCheck.Target = "HTTP:0/" },
		"--health-check-target: \"UDP:80\"":              func(c *Config) { c.HealthCheck.Target = "UDP:80" },
		"--health-check-target SSL:6443":                 func(c *Config) { c.Type, c.HealthCheck.Target = NLB, "SSL:6443" },
		"--health-check-timeout 5 has to be below":       func(c *Config) { c.HealthCheck.Timeout = 5 },
		"--allow-from \"10.0.0.1/8\"":                    func(c *Config) { c.AllowFrom = []string{"10.0.0.1/8"} },
		"--subnet is empty":                              func(c *Config) { c.Subnets = nil },
		"--healthy-threshold 1 is not from 2 to 10":      func(c *Config) { c.HealthCheck.HealthyAfter = 1 },
		"--unhealthy-threshold 11 is not from 2 to 10":   func(c *Config) { c.HealthCheck.UnhealthyAfter = 11 },
		"--health-check-interval 301 is not from 5 to":   func(c *Config) { c.HealthCheck.Interval = 301 },
		"--health-check-timeout 1 is not from 2 to":      func(c *Config) { c.HealthCheck.Timeout = 1 },
		"--load-balancer \"under_score\" is no name":     func(c *Config) { c.LoadBalancer = "under_score" },
		"--load-balancer \"-a\" is no name":              func(c *Config) { c.LoadBalancer = "-a" },
		"--target-group \"" + strings.Repeat("a", 33):    func(c *Config) { c.TargetGroup = strings.Repeat("a", 33) },
		"--load-balancer \"internal-a\" is no name":      func(c *Config) { c.LoadBalancer = "internal-a" },
		"--security-group \"sg-1\" is no name":           func(c *Config) { c.SecurityGroup = "sg-1" },
		"--controller-security-group \"\" is no name":    func(c *Config) { c.ControllerGroup = "" },
		"--vpc is empty":                                 func(c *Config) { c.VPC = "" },
		"--region \"virginia\" is no AWS region":         func(c *Config) { c.Region = "virginia" },
		"--idle-timeout 1h10m0s is not in whole":         func(c *Config) { c.IdleTimeout = 70 * time.Minute },
		"--idle-timeout 30s is not in whole":             func(c *Config) { c.Type, c.IdleTimeout = NLB, 30*time.Second },
		"--connection-draining 2h0m0s is not in":         func(c *Config) { c.Draining = 2 * time.Hour },
		"--deregistration-delay 1.5s is not in":          func(c *Config) { c.DeregistrationDelay = 1500 * time.Millisecond },
		"--request-timeout 0s is no time to answer in; ": func(c *Config) { c.RequestTimeout = 0 },
	} {
		err := configOf(change).Validate()
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

// TestNewNeedsCredentialsAndRegion takes all of the SDK's other sources away.
func TestNewNeedsCredentialsAndRegion(t *testing.T) {
	dir := t.TempDir()
	profiles := filepath.Join(dir, "config")
	if err := os.WriteFile(profiles, []byte("[profile lab]\nregion = eu-west-1\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", profiles)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, test := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"nothing":          {func(*Config) {}, "no AWS region is set; use --region"},
		"no such region":   {func(c *Config) { c.Region = "virginia" }, "\"virginia\" is no AWS region; use --region"},
		"no credentials":   {func(c *Config) { c.Region = "eu-west-1" }, "no AWS credentials: "},
		"no such profile":  {func(c *Config) { c.Profile = "lba" }, "--profile lba: there is no such profile"},
		"all in a profile": {func(c *Config) { c.Profile = "lab" }, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cloud, err := New(ctx, configOf(test.change))
		cancel()
		if test.says == "" {
			if err != nil || cloud.Where() != "aws, region eu-west-1" {
				t.Fatalf("%s: %v", name, err)
			}
			if n := cloud.balancer.(*classic).elb.Options().Retryer.MaxAttempts(); n != attempts {
				t.Errorf("%d attempts, want %d", n, attempts)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", name, err, test.says)
		}
	}
}
