// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// The Types: the lab's target pool, and the backend service that has taken its
// place.
const (
	TargetPool     = "target-pool"
	BackendService = "backend-service"
)

// Types are the values of Options.Type.
var Types = []string{TargetPool, BackendService}

// Options are what the load balancer should be.
type Options struct {
	lb.Options
	// Project is the project's ID.
	Project string
	// Endpoint replaces https://compute.googleapis.com/compute/v1/, as gcloud's
	// api_endpoint_overrides/compute does. To an endpoint without TLS no
	// credentials are sent, and none are needed.
	Endpoint string

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
	// FirewallRule lets SourceRanges, where the health checks come from, in.
	FirewallRule string
	SourceRanges []string
	// TargetPool is used with the type of that name; BackendService and
	// InstanceGroup, one in each zone that has a controller, with the other.
	TargetPool     string
	BackendService string
	InstanceGroup  string
	// ForwardingRule is where Address and Port meet what is behind them.
	ForwardingRule string
}

// Defaults are the lab's names and values. The names that belong to a backend
// service are ours: the lab has none.
func Defaults() Options {
	return Options{
		Options: lb.Options{
			Type:      TargetPool,
			Instances: []string{"controller-0", "controller-1", "controller-2"},
			Port:      6443,
		},
		Network:         "kubernetes-the-hard-way",
		Address:         "kubernetes-the-hard-way",
		HealthCheck:     "kubernetes",
		HealthCheckHost: "kubernetes.default.svc.cluster.local",
		HealthCheckPath: "/healthz",
		HealthCheckPort: 80,
		FirewallRule:    "kubernetes-the-hard-way-allow-health-check",
		// Google's table of probe ranges has the lab's three for external
		// passthrough load balancers to this day, whatever is behind them:
		// https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
		SourceRanges:   []string{"209.85.152.0/22", "209.85.204.0/22", "35.191.0.0/16"},
		TargetPool:     "kubernetes-target-pool",
		BackendService: "kubernetes-backend-service",
		InstanceGroup:  "kubernetes-controllers",
		ForwardingRule: "kubernetes-forwarding-rule",
	}
}

// resourceName is what Compute Engine calls RFC 1035 names.
var resourceName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Validate reports the first value that no request can carry, by its flag.
func (o Options) Validate() error {
	if !slices.Contains(Types, o.Type) {
		return fmt.Errorf("--type: %q is not a type of load balancer on gcp; want one of %s", o.Type, strings.Join(Types, ", "))
	}
	if o.Project == "" {
		return fmt.Errorf("--project: not given, and not known from the environment or a metadata service; name the project's ID")
	}
	if o.Region == "" {
		return fmt.Errorf("--region: not given, and not known from the environment or a metadata service; name a region such as us-west1")
	}
	names := []struct{ flag, value string }{
		{"network", o.Network}, {"address-name", o.Address}, {"health-check", o.HealthCheck},
		{"firewall-rule", o.FirewallRule}, {"target-pool", o.TargetPool}, {"backend-service", o.BackendService},
		{"instance-group", o.InstanceGroup}, {"forwarding-rule", o.ForwardingRule}, {"region", o.Region},
	}
	for _, i := range o.Instances {
		names = append(names, struct{ flag, value string }{"instances", i})
	}
	for _, n := range names {
		if !resourceName.MatchString(n.value) {
			return fmt.Errorf("--%s: %q is not a name on gcp; it has 1 to 63 lower-case letters, digits and dashes, begins with a letter and does not end with a dash", n.flag, n.value)
		}
	}
	if len(o.Instances) == 0 {
		return fmt.Errorf("--instances: name at least one controller")
	}
	for _, p := range []struct {
		flag string
		port int32
	}{{"port", o.Port}, {"health-check-port", o.HealthCheckPort}} {
		if p.port < 1 || p.port > 65535 {
			return fmt.Errorf("--%s: %d is not a port; want 1 to 65535", p.flag, p.port)
		}
	}
	if !strings.HasPrefix(o.HealthCheckPath, "/") {
		return fmt.Errorf("--health-check-path: %q is not a path; begin it with a slash", o.HealthCheckPath)
	}
	if len(o.SourceRanges) == 0 {
		return fmt.Errorf("--source-ranges: name at least one; without a range the rule would let everyone in")
	}
	for _, r := range o.SourceRanges {
		if p, err := netip.ParsePrefix(r); err != nil || p != p.Masked() {
			return fmt.Errorf("--source-ranges: %q is not a range of addresses; want one such as 35.191.0.0/16", r)
		}
	}
	return nil
}
