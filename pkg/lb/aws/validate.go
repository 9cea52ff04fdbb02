// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Validate finds wrong usage, naming the flag of `khw-controller lb`.
func (c Config) Validate() error {
	for _, check := range []func() error{c.validateNames, c.validateHealthCheck, c.validateDurations, c.validateNetwork} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// balancerName is what both APIs take as the name of a load balancer or a target
// group: up to 32 letters, digits and hyphens, no hyphen at the ends.
var balancerName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

// maxGroupName is how many characters the name of a security group may have.
const maxGroupName = 255

func (c Config) validateNames() error {
	for _, n := range []struct{ flag, name string }{{"--load-balancer", c.LoadBalancer}, {"--target-group", c.TargetGroup}} {
		if !balancerName.MatchString(n.name) {
			return fmt.Errorf("%s %q is no name that AWS takes: up to 32 letters, digits and hyphens, and no hyphen at the ends", n.flag, n.name)
		}
		if strings.HasPrefix(n.name, "internal-") {
			return fmt.Errorf("%s %q is no name that AWS takes: internal- is its own", n.flag, n.name)
		}
	}
	for _, n := range []struct{ flag, name string }{{"--security-group", c.SecurityGroup}, {"--controller-security-group", c.ControllerGroup}} {
		if n.name == "" || len(n.name) > maxGroupName || strings.HasPrefix(n.name, "sg-") {
			return fmt.Errorf("%s %q is no name of a security group: up to 255 characters that do not begin with sg-", n.flag, n.name)
		}
	}
	switch {
	case c.VPC == "":
		return fmt.Errorf("--vpc is empty; say the tag Name or the ID of the controllers' VPC")
	case c.Region != "" && !regionName.MatchString(c.Region):
		return fmt.Errorf("--region %q is no AWS region; use one such as us-east-1", c.Region)
	}
	return nil
}

func (c Config) validateHealthCheck() error {
	t, err := parseTarget(c.HealthCheck.Target)
	if err != nil {
		return fmt.Errorf("--health-check-target: %w", err)
	}
	if c.Type == NLB && t.protocol == "SSL" {
		return fmt.Errorf("--health-check-target %s: a network load balancer has no SSL checks; use TCP or HTTPS", c.HealthCheck.Target)
	}
	h := c.HealthCheck
	// The bounds of a classic load balancer, within those of a target group.
	for _, n := range []struct {
		flag          string
		value, lo, hi int32
	}{
		{"--health-check-interval", h.Interval, 5, 300},
		{"--health-check-timeout", h.Timeout, 2, 60},
		{"--healthy-threshold", h.HealthyAfter, 2, 10},
		{"--unhealthy-threshold", h.UnhealthyAfter, 2, 10},
	} {
		if n.value < n.lo || n.value > n.hi {
			return fmt.Errorf("%s %d is not from %d to %d", n.flag, n.value, n.lo, n.hi)
		}
	}
	if h.Timeout >= h.Interval {
		return fmt.Errorf("--health-check-timeout %d has to be below --health-check-interval %d", h.Timeout, h.Interval)
	}
	return nil
}

func (c Config) validateDurations() error {
	if c.RequestTimeout <= 0 {
		return fmt.Errorf("--request-timeout %s is no time to answer in; use 30s or so", c.RequestTimeout)
	}
	idle := struct{ lo, hi time.Duration }{time.Second, 4000 * time.Second}
	if c.Type == NLB {
		idle.lo, idle.hi = time.Minute, 6000*time.Second
	}
	for _, d := range []struct {
		flag          string
		value, lo, hi time.Duration
	}{
		{"--idle-timeout", c.IdleTimeout, idle.lo, idle.hi},
		{"--connection-draining", c.Draining, time.Second, time.Hour},
		{"--deregistration-delay", c.DeregistrationDelay, time.Second, time.Hour},
	} {
		if d.value != 0 && (d.value < d.lo || d.value > d.hi || d.value%time.Second != 0) {
			return fmt.Errorf("%s %s is not in whole seconds from %s to %s, nor 0 to leave it as it is", d.flag, d.value, d.lo, d.hi)
		}
	}
	return nil
}

func (c Config) validateNetwork() error {
	for _, s := range c.AllowFrom {
		if p, err := netip.ParsePrefix(s); err != nil || !p.Addr().Is4() || p != p.Masked() {
			return fmt.Errorf("--allow-from %q is not an IPv4 range such as 0.0.0.0/0 or 192.0.2.0/24", s)
		}
	}
	if len(c.Subnets) == 0 {
		return fmt.Errorf("--subnet is empty; name one as NAME=CIDR@ZONE")
	}
	return nil
}
