// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// collection is what sets one kind of resource apart from the others.
type collection struct {
	kind string
	// defaults are fields that the service fills in.
	defaults object
	// check holds a whole resource, new or merged with a patch, against what the
	// service wants beside the types, and makes its links full ones.
	check func(s *Server, path string, body object) error
	// patchable reports that it has the methods patch and update; fixed are fields
	// that they refuse to change.
	patchable bool
	fixed     []string
	// fingerprinted reports that a patch must bear the current fingerprint.
	fingerprinted bool
}

func number(n int) json.Number { return json.Number(fmt.Sprint(n)) }

// collections are by the part of the method IDs that they share.
var collections = map[string]collection{
	"compute.addresses": {
		kind:     "compute#address",
		defaults: object{"addressType": "EXTERNAL", "networkTier": "PREMIUM", "status": "RESERVED"},
		check:    checkAddress,
	},
	"compute.httpHealthChecks": {
		kind: "compute#httpHealthCheck",
		defaults: object{
			"port": number(80), "requestPath": "/", "checkIntervalSec": number(5), "timeoutSec": number(5),
			"healthyThreshold": number(2), "unhealthyThreshold": number(2),
		},
		check:     checkProbe,
		patchable: true,
	},
	"compute.firewalls": {
		kind:      "compute#firewall",
		defaults:  object{"direction": "INGRESS", "priority": number(1000), "disabled": false, "logConfig": object{"enable": false}},
		check:     checkFirewall,
		patchable: true,
		fixed:     []string{"network", "direction", "name"},
	},
	"compute.targetPools": {
		kind:     "compute#targetPool",
		defaults: object{"sessionAffinity": "NONE"},
		check:    checkTargetPool,
	},
	"compute.forwardingRules": {
		kind:          "compute#forwardingRule",
		defaults:      object{"loadBalancingScheme": "EXTERNAL", "networkTier": "PREMIUM", "IPProtocol": "TCP"},
		check:         checkForwardingRule,
		fingerprinted: true,
	},
	"compute.regionHealthChecks": {
		kind: "compute#healthCheck",
		defaults: object{
			"checkIntervalSec": number(5), "timeoutSec": number(5),
			"healthyThreshold": number(2), "unhealthyThreshold": number(2),
		},
		check:     checkHealthCheck,
		patchable: true,
		fixed:     []string{"type"},
	},
	"compute.instanceGroups": {
		kind:          "compute#instanceGroup",
		check:         checkNothing,
		fingerprinted: true,
	},
	"compute.regionBackendServices": {
		kind:          "compute#backendService",
		defaults:      object{"protocol": "TCP", "sessionAffinity": "NONE", "timeoutSec": number(30), "connectionDraining": object{"drainingTimeoutSec": number(0)}},
		check:         checkBackendService,
		patchable:     true,
		fixed:         []string{"loadBalancingScheme"},
		fingerprinted: true,
	},
}

func checkNothing(*Server, string, object) error { return nil }

func checkAddress(s *Server, _ string, body object) error {
	if body["address"] == nil {
		s.last++
		body["address"] = netip.AddrFrom4([4]byte{203, 0, 113, byte(s.last)}).String() // TEST-NET-3
	}
	return nil
}

func checkFirewall(s *Server, _ string, body object) error {
	network := body["network"]
	if network == nil {
		network = "global/networks/default"
	}
	full, err := s.refer(network, "resource.network", "global/networks")
	if err != nil {
		return err
	}
	body["network"] = full
	allowed, _ := body["allowed"].([]any)
	denied, _ := body["denied"].([]any)
	if (len(allowed) == 0) == (len(denied) == 0) {
		return invalid("invalid", "Invalid value for field 'resource': ''. Exactly one of allowed and denied must be specified.")
	}
	for i, rule := range append(allowed, denied...) {
		if protocol, _ := rule.(object)["IPProtocol"].(string); protocol == "" {
			return invalid("required", "Required field 'resource.allowed[%d].IPProtocol' not specified", i)
		}
	}
	if n := integer(body["priority"]); n < 0 || n > 65535 {
		return invalid("invalid", "Invalid value for field 'resource.priority': '%d'. Must be between 0 and 65535, inclusive.", n)
	}
	ranges, _ := body["sourceRanges"].([]any)
	for i, r := range ranges {
		if p, err := netip.ParsePrefix(r.(string)); err != nil || p != p.Masked() {
			return invalid("invalid", "Invalid value for field 'resource.sourceRanges[%d]': '%s'. Must be a valid CIDR range.", i, r)
		}
	}
	if len(ranges) == 0 && body["sourceTags"] == nil && body["sourceServiceAccounts"] == nil && body["direction"] == "INGRESS" {
		body["sourceRanges"] = []any{"0.0.0.0/0"}
	}
	return nil
}

// checkAffinity refuses those that are for other kinds of load balancer.
func checkAffinity(body object, allowed ...string) error {
	if affinity, _ := body["sessionAffinity"].(string); !slices.Contains(allowed, affinity) {
		return invalid("invalid", "Invalid value for field 'resource.sessionAffinity': '%s'. Session affinity must be one of %s.", affinity, strings.Join(allowed, ", "))
	}
	return nil
}

func checkTargetPool(s *Server, path string, body object) error {
	if err := checkAffinity(body, "NONE", "CLIENT_IP", "CLIENT_IP_PROTO"); err != nil {
		return err
	}
	checks, _ := body["healthChecks"].([]any)
	if len(checks) > 1 {
		return invalid("invalid", "Invalid value for field 'resource.healthChecks': ''. At most one health check is supported.")
	}
	for i, c := range checks {
		full, err := s.refer(c, fmt.Sprintf("resource.healthChecks[%d]", i), "global/httpHealthChecks")
		if err != nil {
			return err
		}
		checks[i] = full
	}
	instances, _ := body["instances"].([]any)
	for i, instance := range instances {
		full, err := s.referInstance(instance, fmt.Sprintf("resource.instances[%d]", i), strings.Split(path, "/")[3])
		if err != nil {
			return err
		}
		instances[i] = full
	}
	return nil
}

// referInstance is refer for an instance in a region.
func (s *Server) referInstance(value any, at, region string) (string, error) {
	var zones []string
	for _, zone := range s.regions[region] {
		zones = append(zones, "zones/"+zone+"/instances")
	}
	return s.refer(value, at, zones...)
}

// checkProbe is of what a health check of either kind does how often.
func checkProbe(_ *Server, _ string, body object) error {
	for field, most := range map[string]int64{"checkIntervalSec": 300, "timeoutSec": 300, "healthyThreshold": 10, "unhealthyThreshold": 10} {
		if n := integer(body[field]); n < 1 || n > most {
			return invalid("invalid", "Invalid value for field 'resource.%s': '%d'. Must be between 1 and %d, inclusive.", field, n, most)
		}
	}
	if timeout := integer(body["timeoutSec"]); timeout > integer(body["checkIntervalSec"]) {
		return invalid("invalid", "Invalid value for field 'resource.timeoutSec': '%d'. timeoutSec should be less than or equal to checkIntervalSec.", timeout)
	}
	return nil
}

// integer is a field's number, which is 0 where there is none.
func integer(value any) int64 {
	n, _ := value.(json.Number)
	i, _ := n.Int64() // the schema has let no others pass
	return i
}

func checkHealthCheck(s *Server, path string, body object) error {
	if body["type"] == nil {
		return invalid("required", "Required field 'resource.type' not specified")
	}
	http, _ := body["httpHealthCheck"].(object)
	if body["type"] != "HTTP" || http == nil {
		return invalid("invalid", "Invalid value for field 'resource.httpHealthCheck': ''. Required for health checks of type HTTP.")
	}
	for name, value := range (object{"port": number(80), "requestPath": "/", "proxyHeader": "NONE"}) {
		if http[name] == nil {
			http[name] = value
		}
	}
	return checkProbe(s, path, body)
}

func checkBackendService(s *Server, path string, body object) error {
	region := strings.Split(path, "/")[3]
	if body["loadBalancingScheme"] != "EXTERNAL" {
		return invalid("invalid", "Invalid value for field 'resource.loadBalancingScheme': '%v'. A passthrough backend service of this server is EXTERNAL.", body["loadBalancingScheme"])
	}
	if err := checkAffinity(body, "NONE", "CLIENT_IP", "CLIENT_IP_PROTO", "CLIENT_IP_PORT_PROTO"); err != nil {
		return err
	}
	draining, _ := body["connectionDraining"].(object)
	if n := integer(draining["drainingTimeoutSec"]); n < 0 || n > 3600 {
		return invalid("invalid", "Invalid value for field 'resource.connectionDraining.drainingTimeoutSec': '%d'. Must be between 0 and 3600, inclusive.", n)
	}
	checks, _ := body["healthChecks"].([]any)
	if len(checks) != 1 {
		return invalid("invalid", "Invalid value for field 'resource.healthChecks': ''. Exactly one health check is required.")
	}
	full, err := s.refer(checks[0], "resource.healthChecks[0]", "regions/"+region+"/healthChecks")
	if err != nil {
		return err
	}
	checks[0] = full
	var groups []string
	for _, zone := range s.regions[region] {
		groups = append(groups, "zones/"+zone+"/instanceGroups")
	}
	backends, _ := body["backends"].([]any)
	for i, b := range backends {
		backend := b.(object)
		full, err := s.refer(backend["group"], fmt.Sprintf("resource.backends[%d].group", i), groups...)
		if err != nil {
			return err
		}
		if backend["balancingMode"] == nil {
			backend["balancingMode"] = "CONNECTION"
		}
		if backend["balancingMode"] != "CONNECTION" {
			return invalid("invalid", "Invalid value for field 'resource.backends[%d].balancingMode': '%v'. Must be CONNECTION.", i, backend["balancingMode"])
		}
		backend["group"] = full
	}
	return nil
}
