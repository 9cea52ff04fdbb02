// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// handler does what a method does, once its request was found to be in order.
type handler func(s *Server, req *request, fault Fault) (object, error)

// handlers are the methods that this server has.
var handlers = map[string]handler{
	"compute.globalOperations.get":            getOperation,
	"compute.regionOperations.get":            getOperation,
	"compute.zoneOperations.get":              getOperation,
	"compute.globalOperations.wait":           waitOperation,
	"compute.regionOperations.wait":           waitOperation,
	"compute.zoneOperations.wait":             waitOperation,
	"compute.globalOperations.list":           listOperations,
	"compute.regionOperations.list":           listOperations,
	"compute.zoneOperations.list":             listOperations,
	"compute.regions.list":                    listRegions,
	"compute.regions.get":                     getPlace,
	"compute.zones.get":                       getPlace,
	"compute.networks.get":                    get,
	"compute.instanceGroupManagers.list":      listNone,
	"compute.instances.get":                   get,
	"compute.instances.list":                  list,
	"compute.instances.aggregatedList":        aggregatedList,
	"compute.instanceGroups.aggregatedList":   aggregatedList,
	"compute.addresses.aggregatedList":        aggregatedList,
	"compute.forwardingRules.aggregatedList":  aggregatedList,
	"compute.targetPools.aggregatedList":      aggregatedList,
	"compute.backendServices.aggregatedList":  aggregatedList,
	"compute.healthChecks.aggregatedList":     aggregatedList,
	"compute.instanceGroups.addInstances":     changing(addInstances),
	"compute.instanceGroups.removeInstances":  changing(removeInstances),
	"compute.instanceGroups.listInstances":    listInstances,
	"compute.targetPools.addHealthCheck":      addHealthCheck,
	"compute.targetPools.removeHealthCheck":   removeHealthCheck,
	"compute.targetPools.addInstance":         addInstance,
	"compute.targetPools.removeInstance":      removeInstance,
	"compute.targetPools.getHealth":           poolHealth,
	"compute.regionBackendServices.getHealth": groupHealth,
	"compute.forwardingRules.setTarget":       changing(setTarget),
}

func init() {
	for id, c := range collections {
		handlers[id+".get"] = get
		handlers[id+".list"] = list
		handlers[id+".insert"] = insert(c)
		handlers[id+".delete"] = changing(remove)
		if c.patchable {
			handlers[id+".patch"] = patch(c)
			handlers[id+".update"] = update(c)
		}
	}
}

func get(s *Server, req *request, _ Fault) (object, error) {
	path := req.resource()
	r := s.resources[path]
	if r == nil {
		return nil, notFound(path)
	}
	return s.shown(path), nil
}

// shown is a resource with what the service works out for each answer.
func (s *Server) shown(path string) object {
	r := maps.Clone(s.resources[path])
	switch r["kind"] {
	case "compute#address":
		if users := s.users(path); len(users) > 0 {
			r["status"], r["users"] = "IN_USE", links(users)
		}
	case "compute#instanceGroup":
		r["size"] = len(s.members[path])
	}
	return r
}

func links(paths []string) []any {
	var all []any
	for _, p := range paths {
		all = append(all, link(p))
	}
	return all
}

func insert(c collection) handler {
	return func(s *Server, req *request, fault Fault) (object, error) {
		if op := s.repeated(req); op != nil {
			return op.object, nil
		}
		path := req.resource()
		if strings.HasSuffix(path, "/") {
			return nil, invalid("required", "Required field 'resource.name' not specified")
		}
		if s.resources[path] != nil || s.busy[path] != nil {
			return nil, alreadyExists(path)
		}
		body := maps.Clone(req.body)
		for name, value := range c.defaults {
			if body[name] == nil {
				body[name] = value
			}
		}
		if err := c.check(s, path, body); err != nil {
			return nil, err
		}
		return s.start(req, fault, path, func() {
			s.put(path, c.kind, body)
			if c.fingerprinted {
				body["fingerprint"] = fingerprint(body)
			}
		}), nil
	}
}

// patch is a JSON merge patch.
func patch(c collection) handler {
	return replacing(c, func(_ *collection, r, body object) object {
		merged := maps.Clone(r)
		merge(merged, body)
		return merged
	})
}

// update replaces the whole resource: what the request leaves out gets the
// service's own value again.
func update(c collection) handler {
	return replacing(c, func(c *collection, r, body object) object {
		replaced := maps.Clone(body)
		for name, value := range c.defaults {
			if replaced[name] == nil {
				replaced[name] = value
			}
		}
		for _, name := range append([]string{"name", "id", "kind", "selfLink", "creationTimestamp", "region", "zone"}, c.fixed...) {
			if r[name] != nil && replaced[name] == nil {
				replaced[name] = r[name]
			}
		}
		return replaced
	})
}

// replacing is the handler of a method that puts another resource in the place of
// the one that is there.
func replacing(c collection, next func(c *collection, r, body object) object) handler {
	return changing(func(s *Server, req *request, path string, r object) (func(), error) {
		if c.fingerprinted && req.body["fingerprint"] != r["fingerprint"] {
			return nil, refuse(http.StatusPreconditionFailed, "conditionNotMet", "Invalid fingerprint.")
		}
		changed := next(&c, r, req.body)
		if err := c.check(s, path, changed); err != nil {
			return nil, err
		}
		for _, field := range c.fixed {
			if fmt.Sprint(changed[field]) != fmt.Sprint(r[field]) {
				return nil, invalid("invalid", "Invalid value for field 'resource.%s': '%v'. The field cannot be changed.", field, changed[field])
			}
		}
		return func() {
			if c.fingerprinted {
				changed["fingerprint"] = fingerprint(changed)
			}
			s.resources[path] = changed
		}, nil
	})
}

func merge(into, from object) {
	for name, value := range from {
		inner, nested := value.(object)
		old, ok := into[name].(object)
		switch {
		case value == nil:
			delete(into, name)
		case nested && ok:
			old = maps.Clone(old)
			merge(old, inner)
			into[name] = old
		default:
			into[name] = value
		}
	}
}

func remove(s *Server, _ *request, path string, _ object) (func(), error) {
	if users := s.users(path); len(users) > 0 {
		return nil, invalid("resourceInUseByAnotherResource", "The resource '%s' is already being used by '%s'", path, users[0])
	}
	return func() {
		delete(s.resources, path)
		delete(s.members, path)
	}, nil
}

func getPlace(_ *Server, req *request, _ Fault) (object, error) {
	kind, name := "compute#region", req.values["region"]
	if zone := req.values["zone"]; zone != "" {
		kind, name = "compute#zone", zone
	}
	return object{"kind": kind, "name": name, "status": "UP", "selfLink": link(req.path)}, nil
}

func listRegions(s *Server, req *request, _ Fault) (object, error) {
	var items []any
	for _, name := range slices.Sorted(maps.Keys(s.regions)) {
		items = append(items, object{"kind": "compute#region", "name": name, "status": "UP", "selfLink": link(req.path + "/" + name)})
	}
	return object{"id": req.path, "selfLink": link(req.path), "items": items}, nil
}
