// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// listNone is for collections that this server knows to be empty, which gcloud
// looks into.
func listNone(_ *Server, req *request, _ Fault) (object, error) {
	return object{"id": req.path, "selfLink": link(req.path)}, nil
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

// scopes are where resources of a collection are: in zones or in regions.
func (s *Server) scopes(collection string) []string {
	var all []string
	for region, zones := range s.regions {
		if collection != "instances" && collection != "instanceGroups" {
			all = append(all, "regions/"+region)
			continue
		}
		for _, zone := range zones {
			all = append(all, "zones/"+zone)
		}
	}
	return all
}

// aggregatedList lists a collection of all zones or regions. Every scope that has
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
	for _, scope := range s.scopes(name) {
		items[scope] = object{"warning": object{
			"code":    "NO_RESULTS_ON_PAGE",
			"message": "There are no results for scope '" + scope + "' on this page.",
			"data":    []any{object{"key": "scope", "value": scope}},
		}}
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
	return s.pageOf(req, s.resources, in)
}

func (s *Server) pageOf(req *request, of map[string]object, in func(string) bool) ([]string, string, error) {
	keep, err := parseFilter(req.query.Get("filter"))
	if err != nil {
		return nil, "", err
	}
	var all []string
	for _, path := range slices.Sorted(maps.Keys(of)) {
		if in(path) && keep(of[path]) {
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

// parseFilter understands comparisons of a field with a text, one or more joined
// by OR, as in (name = "controller-0") OR (name = "controller-1"), and the eq of
// gcloud, which takes a regular expression. Others it refuses: a filter that was
// ignored would let a wrong client pass.
func parseFilter(text string) (func(object) bool, error) {
	var terms []func(object) bool
	for rest := text; rest != ""; {
		m := term.FindStringSubmatch(rest)
		if m == nil || m[1] == "(" && m[5] == "" {
			return nil, invalid("invalid", "Invalid value for field 'filter': '%s'. Invalid list filter expression.", text)
		}
		matches, err := comparison(m[3], m[4])
		if err != nil {
			return nil, invalid("invalid", "Invalid value for field 'filter': '%s'. %s", text, err)
		}
		field := m[2]
		terms = append(terms, func(r object) bool { return matches(fmt.Sprint(r[field])) })
		rest = rest[len(m[0]):]
	}
	return func(r object) bool {
		return len(terms) == 0 || slices.ContainsFunc(terms, func(matches func(object) bool) bool { return matches(r) })
	}, nil
}

var term = regexp.MustCompile(`^(\(?)([A-Za-z]+) (=|!=|eq) "([^"]*)"(\)?)(?: OR |$)`)

func comparison(operator, value string) (func(string) bool, error) {
	switch operator {
	case "=":
		return func(s string) bool { return s == value }, nil
	case "!=":
		return func(s string) bool { return s != value }, nil
	}
	pattern, err := regexp.Compile("^(?:" + value + ")$")
	if err != nil {
		return nil, err
	}
	return pattern.MatchString, nil
}
