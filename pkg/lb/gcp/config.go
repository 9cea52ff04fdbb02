// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// The Types: the lab's target pool, and the backend service that has taken its
// place.
const (
	TargetPool     = "target-pool"
	BackendService = "backend-service"
)

// Types are the types of load balancer, the lab's first.
var Types = []string{TargetPool, BackendService}

// SessionAffinities are those that both types have.
var SessionAffinities = []string{"NONE", "CLIENT_IP", "CLIENT_IP_PROTO"}

// Config is the load balancer that is wanted. Names are those of the lab's
// chapters 3 and 8.
type Config struct {
	lb.Options
	// Project is the project's ID.
	Project string
	// Endpoint replaces https://compute.googleapis.com/compute/v1/, as gcloud's
	// api_endpoint_overrides/compute does. To an endpoint without TLS no
	// credentials are sent, and none are needed.
	Endpoint string
	// Credentials are whose calls these are.
	Credentials Credentials

	// Network is the VPC network of the controllers and the firewall rule.
	Network string
	// Address is the name of the reserved address.
	Address string
	// HealthCheck names the legacy HTTP health check of a target pool, or the
	// regional health check of a backend service.
	HealthCheck string
	// HealthCheckHost, HealthCheckPath and HealthCheckPort are what it asks for.
	HealthCheckHost string
	HealthCheckPath string
	HealthCheckPort int32
	// HealthCheckInterval is between two health checks of an instance, and
	// HealthCheckTimeout what one may take, in seconds.
	HealthCheckInterval, HealthCheckTimeout int32
	// HealthyAfter and UnhealthyAfter are how many health checks in a row decide.
	HealthyAfter, UnhealthyAfter int32
	// FirewallRule lets SourceRanges, where the health checks come from, in. Of two
	// rules, the one of the lower FirewallPriority counts.
	FirewallRule     string
	SourceRanges     []string
	FirewallPriority int32
	// SessionAffinity says which connections of a client go to the same instance:
	// one of SessionAffinities.
	SessionAffinity string
	// TargetPool is used with the type of that name; BackendService and
	// InstanceGroup, one in each zone that has a controller, with the other.
	TargetPool     string
	BackendService string
	InstanceGroup  string
	// ForwardingRule is where Address and Port meet what is behind them.
	ForwardingRule string
}

// Default returns the lab's load balancer. The names that belong to a backend
// service are ours: the lab has none.
func Default() Config {
	return Config{
		Options: lb.Options{
			Type:           TargetPool,
			Instances:      []string{"controller-0", "controller-1", "controller-2"},
			Port:           6443,
			Draining:       time.Hour,
			RequestTimeout: 30 * time.Second,
		},
		Network:         "kubernetes-the-hard-way",
		Address:         "kubernetes-the-hard-way",
		HealthCheck:     "kubernetes",
		HealthCheckHost: "kubernetes.default.svc.cluster.local",
		HealthCheckPath: "/healthz",
		HealthCheckPort: 80,
		// What gcloud sends for the lab's command, and the service's own defaults.
		HealthCheckInterval: 5,
		HealthCheckTimeout:  5,
		HealthyAfter:        2,
		UnhealthyAfter:      2,
		FirewallRule:        "kubernetes-the-hard-way-allow-health-check",
		// Google's table of probe ranges has the lab's three for external
		// passthrough load balancers to this day, whatever is behind them:
		// https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
		SourceRanges:     []string{"209.85.152.0/22", "209.85.204.0/22", "35.191.0.0/16"},
		FirewallPriority: 1000,
		SessionAffinity:  "NONE",
		TargetPool:       "kubernetes-target-pool",
		BackendService:   "kubernetes-backend-service",
		InstanceGroup:    "kubernetes-controllers",
		ForwardingRule:   "kubernetes-forwarding-rule",
	}
}

// resourceName is what Compute Engine calls RFC 1035 names.
var resourceName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

var zoneName = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+-[a-z]$`)

// Validate finds wrong usage, naming the flag of `khw-controller lb`. Project and
// Region may be left out until New.
func (c Config) Validate() error {
	if !slices.Contains(Types, c.Type) {
		return fmt.Errorf("--type: %q is not a type of load balancer on gcp; want one of %s", c.Type, strings.Join(Types, ", "))
	}
	names := []struct{ flag, value string }{
		{"network", c.Network}, {"address", c.Address}, {"health-check", c.HealthCheck},
		{"firewall-rule", c.FirewallRule}, {"target-pool", c.TargetPool}, {"backend-service", c.BackendService},
		{"instance-group", c.InstanceGroup}, {"forwarding-rule", c.ForwardingRule},
	}
	if c.Region != "" {
		if zoneName.MatchString(c.Region) {
			return fmt.Errorf("--region: %q is a zone; its region is %s", c.Region, regionOf(c.Region))
		}
		names = append(names, struct{ flag, value string }{"region", c.Region})
	}
	for _, i := range c.Instances {
		names = append(names, struct{ flag, value string }{"instances", i})
	}
	for _, n := range names {
		if !resourceName.MatchString(n.value) {
			return fmt.Errorf("--%s: %q is not a name on gcp; it has 1 to 63 lower-case letters, digits and dashes, begins with a letter and does not end with a dash", n.flag, n.value)
		}
	}
	if len(c.Instances) == 0 {
		return fmt.Errorf("--instances: name at least one controller")
	}
	for _, p := range []struct {
		flag string
		port int32
	}{{"port", c.Port}, {"health-check-port", c.HealthCheckPort}} {
		if p.port < 1 || p.port > 65535 {
			return fmt.Errorf("--%s: %d is not a port; want 1 to 65535", p.flag, p.port)
		}
	}
	if !strings.HasPrefix(c.HealthCheckPath, "/") {
		return fmt.Errorf("--health-check-path: %q is not a path; begin it with a slash", c.HealthCheckPath)
	}
	if err := c.validateNumbers(); err != nil {
		return err
	}
	if !slices.Contains(SessionAffinities, c.SessionAffinity) {
		return fmt.Errorf("--session-affinity: %q is none of %s", c.SessionAffinity, strings.Join(SessionAffinities, ", "))
	}
	if len(c.SourceRanges) == 0 {
		return fmt.Errorf("--source-ranges: name at least one; without a range the rule would let everyone in")
	}
	for _, r := range c.SourceRanges {
		if p, err := netip.ParsePrefix(r); err != nil || p != p.Masked() {
			return fmt.Errorf("--source-ranges: %q is not a range of addresses; want one such as 35.191.0.0/16", r)
		}
	}
	if c.RequestTimeout <= 0 {
		return fmt.Errorf("--request-timeout: %s is no time to answer in; want 30s or so", c.RequestTimeout)
	}
	return c.validateEndpoint()
}

// validateNumbers knows the bounds that Compute Engine has for them.
func (c Config) validateNumbers() error {
	for _, n := range []struct {
		flag             string
		value, low, high int32
	}{
		{"health-check-interval", c.HealthCheckInterval, 1, 300},
		{"health-check-timeout", c.HealthCheckTimeout, 1, c.HealthCheckInterval},
		{"healthy-threshold", c.HealthyAfter, 1, 10},
		{"unhealthy-threshold", c.UnhealthyAfter, 1, 10},
		{"firewall-priority", c.FirewallPriority, 0, 65535},
		{"connection-draining", int32(c.Draining.Seconds()), 0, 3600},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("--%s: gcp takes %d to %d, and this is %d", n.flag, n.low, n.high, n.value)
		}
	}
	return nil
}

func (c Config) validateEndpoint() error {
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !strings.HasSuffix(u.Path, "/compute/v1/") {
		return fmt.Errorf("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: %q is no base of the Compute Engine API; write one that ends in /compute/v1/, such as https://compute.googleapis.com/compute/v1/", c.Endpoint)
	}
	return nil
}
