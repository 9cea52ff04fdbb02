// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
)

var portRange = regexp.MustCompile(`^(\d+)(?:-(\d+))?$`)

func checkForwardingRule(s *Server, path string, body object) error {
	region := strings.Split(path, "/")[3]
	pool, service := body["target"], body["backendService"]
	if (pool == nil) == (service == nil) {
		return invalid("invalid", "Invalid value for field 'resource': ''. Exactly one of target and backendService must be specified.")
	}
	if pool != nil {
		if body["ports"] != nil {
			return invalid("invalid", "Invalid value for field 'resource.ports': ''. Ports are not supported with a target pool; use portRange.")
		}
		full, err := s.refer(pool, "resource.target", "regions/"+region+"/targetPools")
		if err != nil {
			return err
		}
		body["target"] = full
	} else {
		full, err := s.refer(service, "resource.backendService", "regions/"+region+"/backendServices")
		if err != nil {
			return err
		}
		body["backendService"] = full
	}
	if text, _ := body["portRange"].(string); body["portRange"] != nil {
		m := portRange.FindStringSubmatch(text)
		if m == nil {
			return invalid("invalid", "Invalid value for field 'resource.portRange': '%s'. Port range is invalid.", text)
		}
		if m[2] == "" {
			body["portRange"] = text + "-" + text
		}
	}
	ip, err := s.reservedIP(body["IPAddress"], region, body["networkTier"])
	if err != nil {
		return err
	}
	body["IPAddress"] = ip
	for other, r := range s.resources {
		if other != path && r["kind"] == "compute#forwardingRule" && r["IPAddress"] == ip && fmt.Sprint(r["portRange"], r["ports"]) == fmt.Sprint(body["portRange"], body["ports"]) {
			return invalid("resourceInUseByAnotherResource", "Invalid value for field 'resource.IPAddress': '%s'. Specified IP address is in-use and would result in a conflict.", ip)
		}
	}
	return nil
}

// reservedIP returns the IP address that a rule names, which must be reserved in
// the region and in the rule's network tier.
func (s *Server) reservedIP(value any, region string, tier any) (string, error) {
	text, _ := value.(string)
	for path, r := range s.resources {
		if r["kind"] != "compute#address" || r["address"] != text || strings.Split(path, "/")[3] != region {
			continue
		}
		if r["networkTier"] != tier {
			return "", invalid("invalid", "Invalid value for field 'resource.networkTier': '%v'. The network tier of specified IP address is %v, that of the forwarding rule is %v.", tier, r["networkTier"], tier)
		}
		return text, nil
	}
	return "", invalid("invalid", "Invalid value for field 'resource.IPAddress': '%s'. Specified IP address is not reserved in region %s.", text, region)
}

// setTarget moves a rule, also between the two kinds of target: that is how the
// service's guide moves from a target pool to a backend service.
func setTarget(s *Server, req *request, path string, r object) (func(), error) {
	region := req.values["region"]
	full, err := s.refer(req.body["target"], "target", "regions/"+region+"/targetPools", "regions/"+region+"/backendServices")
	if err != nil {
		return nil, err
	}
	changed := maps.Clone(r)
	delete(changed, "target")
	delete(changed, "backendService")
	if strings.Contains(full, "/backendServices/") {
		changed["backendService"] = full
	} else {
		changed["target"] = full
	}
	return func() {
		changed["fingerprint"] = fingerprint(changed)
		s.resources[path] = changed
	}, nil
}
