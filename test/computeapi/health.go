// SPDX-License-Identifier: Apache-2.0

package computeapi

import "slices"

// poolHealth is empty for an instance that was not probed yet.
func poolHealth(s *Server, req *request, _ Fault) (object, error) {
	path := req.resource()
	pool := s.resources[path]
	if pool == nil {
		return nil, notFound(path)
	}
	text, _ := req.body["instance"].(string)
	instance, err := s.pathOf(text, "instance")
	if err != nil {
		return nil, err
	}
	members, _ := pool["instances"].([]any)
	if !slices.Contains(members, any(link(instance))) {
		return nil, invalid("invalid", "Invalid value for field 'instance': '%s'. The instance is not in the target pool.", text)
	}
	answer := object{"kind": "compute#targetPoolInstanceHealth"}
	if state := s.health[instance]; state != "" {
		answer["healthStatus"] = []any{object{"instance": link(instance), "healthState": state}}
	}
	return answer, nil
}

func groupHealth(s *Server, req *request, _ Fault) (object, error) {
	path := req.resource()
	service := s.resources[path]
	if service == nil {
		return nil, notFound(path)
	}
	text, _ := req.body["group"].(string)
	group, err := s.pathOf(text, "group")
	if err != nil {
		return nil, err
	}
	if !mentions(service["backends"], link(group)) {
		return nil, invalid("invalid", "Invalid value for field 'group': '%s'. The group is no backend of the service.", text)
	}
	var status []any
	for _, m := range s.members[group] {
		if state := s.health[m]; state != "" {
			status = append(status, object{"instance": link(m), "healthState": state, "port": 80})
		}
	}
	answer := object{"kind": "compute#backendServiceGroupHealth"}
	if len(status) > 0 {
		answer["healthStatus"] = status
	}
	return answer, nil
}
