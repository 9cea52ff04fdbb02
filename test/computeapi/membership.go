// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// items are the links in one field of the request's list, such as
// instances[].instance, resolved by refer.
func (s *Server) items(req *request, field, key string, refer func(value any, at string) (string, error)) ([]any, error) {
	list, _ := req.body[field].([]any)
	if len(list) == 0 {
		return nil, invalid("required", "Required field '%s' not specified", field)
	}
	var all []any
	for i, item := range list {
		full, err := refer(item.(object)[key], fmt.Sprintf("%s[%d].%s", field, i, key))
		if err != nil {
			return nil, err
		}
		all = append(all, full)
	}
	return all, nil
}

// poolChange changes a list of links in a target pool.
func poolChange(body, key, field string, refer func(s *Server, req *request, value any, at string) (string, error), change func(have, links []any) ([]any, error)) handler {
	return changing(func(s *Server, req *request, path string, r object) (func(), error) {
		links, err := s.items(req, body, key, func(v any, at string) (string, error) { return refer(s, req, v, at) })
		if err != nil {
			return nil, err
		}
		have, _ := r[field].([]any)
		after, err := change(slices.Clone(have), links)
		if err != nil {
			return nil, err
		}
		return func() {
			changed := maps.Clone(r)
			changed[field] = after
			if len(after) == 0 {
				delete(changed, field)
			}
			s.resources[path] = changed
		}, nil
	})
}

func add(have, links []any) ([]any, error) {
	for _, l := range links {
		if !slices.Contains(have, l) {
			have = append(have, l)
		}
	}
	return have, nil
}

func addOne(have, links []any) ([]any, error) {
	if after, _ := add(have, links); len(after) == 1 {
		return after, nil
	}
	return nil, invalid("invalid", "Invalid value for field 'healthChecks': ''. At most one health check is supported.")
}

func without(have, links []any) ([]any, error) {
	for _, l := range links {
		i := slices.Index(have, l)
		if i < 0 {
			return nil, invalid("invalid", "Invalid value: '%v' is not in the target pool.", l)
		}
		have = slices.Delete(have, i, i+1)
	}
	return have, nil
}

func referCheck(s *Server, _ *request, value any, at string) (string, error) {
	return s.refer(value, at, "global/httpHealthChecks")
}

func referRegional(s *Server, req *request, value any, at string) (string, error) {
	return s.referInstance(value, at, req.values["region"])
}

// referGone takes links to instances that are there no more: they can be removed.
func referGone(s *Server, _ *request, value any, at string) (string, error) {
	text, _ := value.(string)
	path, err := s.pathOf(text, at)
	return link(path), err
}

var (
	addHealthCheck    = poolChange("healthChecks", "healthCheck", "healthChecks", referCheck, addOne)
	removeHealthCheck = poolChange("healthChecks", "healthCheck", "healthChecks", referCheck, without)
	addInstance       = poolChange("instances", "instance", "instances", referRegional, add)
	removeInstance    = poolChange("instances", "instance", "instances", referGone, without)
)

func (s *Server) zonal(req *request) func(value any, at string) (string, error) {
	return func(value any, at string) (string, error) {
		return s.refer(value, at, "zones/"+req.values["zone"]+"/instances")
	}
}

func addInstances(s *Server, req *request, path string, r object) (func(), error) {
	links, err := s.items(req, "instances", "instance", s.zonal(req))
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		instance := strings.TrimPrefix(l.(string), linkBase)
		for group, members := range s.members {
			if slices.Contains(members, instance) {
				return nil, invalid("memberAlreadyExists", "Instance '%s' is already a member of '%s'.", instance, group)
			}
		}
	}
	return func() {
		for _, l := range links {
			instance := strings.TrimPrefix(l.(string), linkBase)
			s.members[path] = append(s.members[path], instance)
			r["network"] = networkOf(s.resources[instance])
		}
	}, nil
}

func removeInstances(s *Server, req *request, path string, _ object) (func(), error) {
	links, err := s.items(req, "instances", "instance", s.zonal(req))
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if !slices.Contains(s.members[path], strings.TrimPrefix(l.(string), linkBase)) {
			return nil, invalid("invalid", "Instance '%v' is not a member of '%s'.", l, path)
		}
	}
	return func() {
		s.members[path] = slices.DeleteFunc(s.members[path], func(m string) bool { return slices.Contains(links, any(link(m))) })
	}, nil
}

func listInstances(s *Server, req *request, _ Fault) (object, error) {
	path := req.resource()
	if s.resources[path] == nil {
		return nil, notFound(path)
	}
	var items []any
	for _, m := range s.members[path] {
		items = append(items, object{"instance": link(m), "status": s.resources[m]["status"]})
	}
	return object{"kind": "compute#instanceGroupsListInstances", "id": path, "items": items}, nil
}
