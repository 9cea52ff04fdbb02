// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// handler does what a method does, once its request was found to be in order.
type handler func(s *Server, req *request, fault Fault) (object, error)

// handlers are the methods that this server has.
var handlers = map[string]handler{
	"compute.globalOperations.get":            getOperation,
	"compute.regionOperations.get":            getOperation,
	"compute.zoneOperations.get":              getOperation,
	"compute.regions.get":                     getPlace,
	"compute.zones.get":                       getPlace,
	"compute.networks.get":                    get,
	"compute.instances.get":                   get,
	"compute.instances.list":                  list,
	"compute.instances.aggregatedList":        aggregatedList,
	"compute.instanceGroups.aggregatedList":   aggregatedList,
	"compute.instanceGroups.addInstances":     addInstances,
	"compute.instanceGroups.removeInstances":  removeInstances,
	"compute.instanceGroups.listInstances":    listInstances,
	"compute.targetPools.addHealthCheck":      addHealthCheck,
	"compute.targetPools.removeHealthCheck":   removeHealthCheck,
	"compute.targetPools.addInstance":         addInstance,
	"compute.targetPools.removeInstance":      removeInstance,
	"compute.targetPools.getHealth":           poolHealth,
	"compute.regionBackendServices.getHealth": groupHealth,
	"compute.forwardingRules.setTarget":       setTarget,
}

func init() {
	for id, c := range collections {
		handlers[id+".get"] = get
		handlers[id+".list"] = list
		handlers[id+".insert"] = insert(c)
		handlers[id+".delete"] = remove
		if c.patchable {
			handlers[id+".patch"] = patch(c)
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
	return func(s *Server, req *request, fault Fault) (object, error) {
		if op := s.repeated(req); op != nil {
			return op.object, nil
		}
		path := req.resource()
		r, err := s.existing(path)
		if err != nil {
			return nil, err
		}
		if c.fingerprinted && req.body["fingerprint"] != r["fingerprint"] {
			return nil, refuse(http.StatusPreconditionFailed, "conditionNotMet", "Invalid fingerprint.")
		}
		merged := maps.Clone(r)
		merge(merged, req.body)
		if err := c.check(s, path, merged); err != nil {
			return nil, err
		}
		for _, field := range c.fixed {
			if fmt.Sprint(merged[field]) != fmt.Sprint(r[field]) {
				return nil, invalid("invalid", "Invalid value for field 'resource.%s': '%v'. The field cannot be changed.", field, merged[field])
			}
		}
		return s.start(req, fault, path, func() {
			if c.fingerprinted {
				merged["fingerprint"] = fingerprint(merged)
			}
			s.resources[path] = merged
		}), nil
	}
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

func remove(s *Server, req *request, fault Fault) (object, error) {
	if op := s.repeated(req); op != nil {
		return op.object, nil
	}
	path := req.resource()
	if _, err := s.existing(path); err != nil {
		return nil, err
	}
	if users := s.users(path); len(users) > 0 {
		return nil, invalid("resourceInUseByAnotherResource", "The resource '%s' is already being used by '%s'", path, users[0])
	}
	return s.start(req, fault, path, func() {
		delete(s.resources, path)
		delete(s.members, path)
	}), nil
}

func getPlace(s *Server, req *request, _ Fault) (object, error) {
	kind, name := "compute#region", req.values["region"]
	if zone := req.values["zone"]; zone != "" {
		kind, name = "compute#zone", zone
	}
	return object{"kind": kind, "name": name, "status": "UP", "selfLink": link(req.path)}, nil
}

func list(s *Server, req *request, _ Fault) (object, error) {
	collection, _ := req.collection()
	page, next, err := s.page(req, func(path string) bool { return strings.HasPrefix(path, collection+"/") })
	if err != nil {
		return nil, err
	}
	var items []any
	for _, path := range page {
		items = append(items, s.shown(path))
	}
	answer := object{"id": collection, "selfLink": link(collection), "items": items}
	if next != "" {
		answer["nextPageToken"] = next
	}
	return answer, nil
}

// aggregatedList lists a collection of all zones and regions. Every zone that has
// nothing on the page carries a warning instead, as in the service.
func aggregatedList(s *Server, req *request, _ Fault) (object, error) {
	name := req.path[strings.LastIndex(req.path, "/")+1:]
	page, next, err := s.page(req, func(path string) bool {
		segments := strings.Split(path, "/")
		return len(segments) == 6 && segments[4] == name
	})
	if err != nil {
		return nil, err
	}
	items := object{}
	for _, zones := range s.regions {
		for _, zone := range zones {
			items["zones/"+zone] = object{"warning": object{
				"code":    "NO_RESULTS_ON_PAGE",
				"message": "There are no results for scope 'zones/" + zone + "' on this page.",
				"data":    []any{object{"key": "scope", "value": "zones/" + zone}},
			}}
		}
	}
	for _, path := range page {
		segments := strings.Split(path, "/")
		scope := segments[2] + "/" + segments[3]
		found, _ := items[scope].(object)
		all, _ := found[name].([]any)
		items[scope] = object{name: append(all, s.shown(path))}
	}
	answer := object{"id": req.path, "selfLink": link(req.path), "items": items}
	if next != "" {
		answer["nextPageToken"] = next
	}
	return answer, nil
}

// page returns the paths of what a list shows, and the token of the next page.
func (s *Server) page(req *request, in func(string) bool) ([]string, string, error) {
	keep, err := parseFilter(req.query.Get("filter"))
	if err != nil {
		return nil, "", err
	}
	var all []string
	for _, path := range slices.Sorted(maps.Keys(s.resources)) {
		if in(path) && keep(s.resources[path]) {
			all = append(all, path)
		}
	}
	from := 0
	if token := req.query.Get("pageToken"); token != "" {
		if from, err = strconv.Atoi(strings.TrimPrefix(token, "page-")); err != nil || from > len(all) {
			return nil, "", invalid("invalid", "Invalid value for field 'pageToken': '%s'.", token)
		}
	}
	size := s.PageSize
	if n, err := strconv.Atoi(req.query.Get("maxResults")); err == nil && n > 0 {
		size = min(size, n)
	}
	if to := from + size; to < len(all) {
		return all[from:to], "page-" + strconv.Itoa(to), nil
	}
	return all[from:], "", nil
}
