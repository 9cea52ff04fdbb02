// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// The types of load balancer.
const (
	// Classic is the lab's, an Elastic Load Balancer of the first generation.
	Classic = "classic"
	// NLB is a network load balancer with a target group.
	NLB = "nlb"
)

// Types are the types of load balancer, the lab's first.
var Types = []string{Classic, NLB}

// Config is the load balancer that is wanted. Names are those of the lab's
// chapters 3 and 8.
type Config struct {
	lb.Options
	// Profile of the shared config and credentials files. Empty: the SDK's choice.
	Profile string
	// LoadBalancer is the name of the load balancer.
	LoadBalancer string
	// TargetGroup is the name of the target group of an NLB.
	TargetGroup string
	// VPC is the tag Name of the VPC, or its ID.
	VPC string
	// HealthCheck is how the balancer finds out who is healthy.
	HealthCheck HealthCheck
	// Subnets are where the balancer has its addresses; not used for a classic
	// one unless Create is set, which makes the absent ones.
	Subnets []Subnet
	// SecurityGroup is the name of the balancer's own group, used as Subnets are.
	SecurityGroup string
	// ControllerGroup is the name of the controllers' security group, which Create
	// lets the balancer's group into.
	ControllerGroup string
	// DeregistrationDelay is how long connections of a target that was taken out of
	// an NLB's target group live on. It is raised to this, never lowered; 0 leaves it.
	DeregistrationDelay time.Duration
	// AllowFrom are the IPv4 ranges of the clients, for Create.
	AllowFrom []string
}

// Subnet is one subnet of the VPC.
type Subnet struct {
	// Name is its tag Name.
	Name string
	// CIDR and Zone are used to make it. An empty Zone leaves the choice to AWS.
	CIDR, Zone string
}

// HealthCheck is a health check with the durations in seconds.
type HealthCheck struct {
	// Target is written as a classic load balancer wants it: HTTP:80/healthz.
	Target                       string
	Interval, Timeout            int32
	HealthyAfter, UnhealthyAfter int32
}

// Default returns the lab's load balancer. The health check's target is not the
// lab's HTTP:80/, which asked nginx for its welcome page and not Kubernetes.
func Default() Config {
	return Config{
		Options: lb.Options{
			Type:           Classic,
			Instances:      []string{"controller-0", "controller-1", "controller-2"},
			Port:           6443,
			RequestTimeout: 30 * time.Second,
			IdleTimeout:    time.Hour,
			Draining:       time.Hour,
		},
		DeregistrationDelay: time.Hour,
		LoadBalancer:        "kubernetes",
		TargetGroup:         "kubernetes",
		VPC:                 "kubernetes-the-hard-way",
		HealthCheck:         HealthCheck{Target: "HTTP:80/healthz", Interval: 5, Timeout: 3, HealthyAfter: 2, UnhealthyAfter: 2},
		Subnets:             []Subnet{{Name: "kubernetes-the-hard-way_subnet", CIDR: "10.240.0.0/24"}},
		SecurityGroup:       "kubernetes-the-hard-way-allow-external",
		ControllerGroup:     "kubernetes-the-hard-way-allow-internal",
		AllowFrom:           []string{"0.0.0.0/0"},
	}
}

// String writes it as ParseSubnet reads it.
func (s Subnet) String() string {
	text := s.Name
	if s.CIDR != "" {
		text += "=" + s.CIDR
	}
	if s.Zone != "" {
		text += "@" + s.Zone
	}
	return text
}

// ParseSubnet reads NAME=CIDR or NAME=CIDR@ZONE, or NAME alone for one that is
// there.
func ParseSubnet(s string) (Subnet, error) {
	name, rest, _ := strings.Cut(s, "=")
	cidr, zone, _ := strings.Cut(rest, "@")
	if name == "" {
		return Subnet{}, fmt.Errorf("%q has no name; write NAME=CIDR@ZONE", s)
	}
	if cidr != "" {
		if p, err := netip.ParsePrefix(cidr); err != nil || !p.Addr().Is4() || p != p.Masked() {
			return Subnet{}, fmt.Errorf("%q is not an IPv4 range such as 10.240.0.0/24; write NAME=CIDR@ZONE", cidr)
		}
	}
	return Subnet{Name: name, CIDR: cidr, Zone: zone}, nil
}

// checkTarget is a HealthCheck.Target in parts.
type checkTarget struct {
	protocol string
	port     int32
	path     string
}

func parseTarget(s string) (checkTarget, error) {
	bad := fmt.Errorf("%q is no target; write HTTP:80/healthz, HTTPS:PORT/PATH, TCP:PORT or SSL:PORT", s)
	protocol, rest, ok := strings.Cut(s, ":")
	if !ok {
		return checkTarget{}, bad
	}
	digits, path, hasPath := strings.Cut(rest, "/")
	port, err := strconv.ParseUint(digits, 10, 16)
	wantsPath := protocol == "HTTP" || protocol == "HTTPS"
	known := slices.Contains([]string{"HTTP", "HTTPS", "TCP", "SSL"}, protocol)
	if err != nil || port == 0 || hasPath != wantsPath || !known {
		return checkTarget{}, bad
	}
	t := checkTarget{protocol: protocol, port: int32(port)}
	if hasPath {
		t.path = "/" + path
	}
	return t, nil
}

// parts are those of a valid Target.
func (h HealthCheck) parts() checkTarget {
	t, _ := parseTarget(h.Target)
	return t
}

func (t checkTarget) portString() *string {
	s := strconv.Itoa(int(t.port))
	return &s
}

// pathPointer is nil for a check that has no path.
func (t checkTarget) pathPointer() *string {
	if t.path == "" {
		return nil
	}
	return &t.path
}
