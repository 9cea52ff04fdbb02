// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

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

// parseFilter understands the filters that name resources, one or more joined by
// OR: (name = "controller-0") OR (name = "controller-1"). Others it refuses: a
// filter that was ignored would let a wrong client pass.
func parseFilter(text string) (func(object) bool, error) {
	if text == "" {
		return func(object) bool { return true }, nil
	}
	names := map[string]bool{}
	rest := text
	for {
		m := term.FindStringSubmatch(rest)
		if m == nil {
			return nil, invalid("invalid", "Invalid value for field 'filter': '%s'. Invalid list filter expression.", text)
		}
		names[m[1]+m[2]] = true
		if m[3] == "" {
			return func(r object) bool { name, _ := r["name"].(string); return names[name] }, nil
		}
		rest = rest[len(m[0]):]
	}
}

var term = regexp.MustCompile(`^(?:\(name = "([-a-z0-9]+)"\)|name = "([-a-z0-9]+)")( OR |$)`)
