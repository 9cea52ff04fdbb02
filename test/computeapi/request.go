// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// check refuses what the document, the project's existence or the caller's role
// do not allow, in the order in which the service notices.
func (s *Server) check(req *request) error {
	if err := s.checkParameters(req); err != nil {
		return err
	}
	if err := s.doc.checkBody(req.method, req.body); err != nil {
		return err
	}
	if err := s.checkPlace(req.values); err != nil {
		return err
	}
	return s.checkPermissions(req)
}

func (s *Server) checkParameters(req *request) error {
	for _, name := range slices.Sorted(maps.Keys(req.query)) {
		p := req.method.Parameters[name]
		if p == nil {
			p = s.doc.Parameters[name]
		}
		if p == nil || p.Location != "query" {
			return badRequest("Invalid JSON payload received. Unknown name %q: Cannot bind query parameter. Field '%s' could not be found in request message.", name, name)
		}
		for _, value := range req.query[name] {
			if err := checkText(p, value, name); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(req.method.Parameters)) {
		p := req.method.Parameters[name]
		value := req.values[name]
		if p.Location == "query" {
			value = req.query.Get(name)
		}
		if p.Required && value == "" {
			return invalid("required", "Required field '%s' not specified", name)
		}
		if p.Location == "path" {
			if err := checkText(p, value, name); err != nil {
				return err
			}
		}
	}
	if id := req.query.Get("requestId"); req.query.Has("requestId") && !requestID.MatchString(id) {
		return invalid("invalid", "Invalid value for field 'requestId': '%s'. Must be a valid UUID", id)
	}
	return nil
}

var requestID = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

func (s *Server) checkPlace(values map[string]string) error {
	if values["project"] != s.project {
		return notFound("projects/" + values["project"])
	}
	if region := values["region"]; region != "" && s.regions[region] == nil {
		return invalid("invalid", "Invalid value for field 'region': '%s'. Unknown region.", region)
	}
	if zone := values["zone"]; zone != "" && !slices.Contains(s.regions[regionOf(zone)], zone) {
		return invalid("invalid", "Invalid value for field 'zone': '%s'. Unknown zone.", zone)
	}
	return nil
}

func regionOf(zone string) string {
	i := strings.LastIndex(zone, "-")
	if i < 0 {
		return zone
	}
	return zone[:i]
}

// Grant lets callers do only what these permissions allow; none is everything.
func (s *Server) Grant(permissions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.granted = permissions
}

func (s *Server) checkPermissions(req *request) error {
	if s.granted == nil {
		return nil
	}
	for _, p := range permissions(req.method.ID, req.body) {
		if !slices.Contains(s.granted, p) {
			return refuse(http.StatusForbidden, "forbidden", "Required '%s' permission for '%s'", p, req.path)
		}
	}
	return nil
}

// collection is the path of the resources that a request is about, such as
// projects/p/regions/r/targetPools, and name is which of them.
func (r *request) collection() (path, name string) {
	segments := strings.Split(r.path, "/")
	at := 4 // projects p regions r targetPools
	if segments[2] == "global" {
		at = 3
	}
	path = strings.Join(segments[:at+1], "/")
	if len(segments) > at+1 {
		return path, segments[at+1]
	}
	if name, ok := r.body["name"].(string); ok {
		return path, name
	}
	return path, ""
}

// resource is the path of the resource that a request is about.
func (r *request) resource() string {
	collection, name := r.collection()
	return collection + "/" + name
}
