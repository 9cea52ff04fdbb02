// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// linkBase begins every link that the service writes, whatever host it was asked
// through.
const linkBase = "https://www.googleapis.com/compute/v1/"

// timestamp is when everything happens here.
const timestamp = "2026-01-02T03:04:05.678-07:00"

func link(path string) string { return linkBase + path }

// pathOf returns the path that a link in a request stands for. The service takes
// full links of either host, and partial ones.
func (s *Server) pathOf(text, at string) (string, error) {
	for _, base := range []string{linkBase, "https://compute.googleapis.com/compute/v1/", s.Endpoint} {
		if rest, ok := strings.CutPrefix(text, base); ok {
			text = rest
		}
	}
	switch first, _, _ := strings.Cut(text, "/"); first {
	case "projects":
		return text, nil
	case "global", "regions", "zones":
		return "projects/" + s.project + "/" + text, nil
	}
	return "", invalid("invalid", "Invalid value for field '%s': '%s'. The URL is malformed.", at, text)
}

// refer resolves a link in a request to a resource that must be there, in one of
// the collections named, such as regions/us-west1/targetPools. It returns the
// link as the service keeps it.
func (s *Server) refer(value any, at string, collections ...string) (string, error) {
	text, _ := value.(string)
	path, err := s.pathOf(text, at)
	if err != nil {
		return "", err
	}
	in := strings.TrimPrefix(path[:max(strings.LastIndex(path, "/"), 0)], "projects/"+s.project+"/")
	if !slices.Contains(collections, in) {
		return "", invalid("invalid", "Invalid value for field '%s': '%s'. Want one of %s.", at, text, strings.Join(collections, ", "))
	}
	if s.resources[path] == nil {
		return "", notFound(path)
	}
	return link(path), nil
}

// put gives a resource what the service fills in, and keeps it.
func (s *Server) put(path, kind string, body object) {
	body["kind"] = kind
	body["id"] = s.id()
	body["selfLink"] = link(path)
	body["creationTimestamp"] = timestamp
	segments := strings.Split(path, "/")
	switch segments[2] {
	case "regions":
		body["region"] = link(strings.Join(segments[:4], "/"))
	case "zones":
		body["zone"] = link(strings.Join(segments[:4], "/"))
	}
	s.resources[path] = body
}

// fingerprint is of a resource's fields as they are.
func fingerprint(body object) string {
	plain := maps.Clone(body)
	delete(plain, "fingerprint")
	raw, _ := json.Marshal(plain) // sorts its keys
	h := fnv.New64a()
	h.Write(raw)
	return base64.URLEncoding.EncodeToString(h.Sum(nil))
}

// users are the paths of the resources that refer to one.
func (s *Server) users(path string) []string {
	address, _ := s.resources[path]["address"].(string)
	var users []string
	for _, user := range slices.Sorted(maps.Keys(s.resources)) {
		r := s.resources[user]
		if user == path {
			continue
		}
		uses := address != "" && r["kind"] == "compute#forwardingRule" && r["IPAddress"] == address
		for _, field := range []string{"network", "healthChecks", "instances", "target", "backendService", "backends"} {
			uses = uses || mentions(r[field], link(path))
		}
		if uses {
			users = append(users, user)
		}
	}
	return users
}

// mentions reports whether a value is or contains a link.
func mentions(value any, link string) bool {
	switch v := value.(type) {
	case string:
		return v == link
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return mentions(item, link) })
	case object:
		return mentions(v["group"], link)
	}
	return false
}

// existing returns a resource that no operation works on.
func (s *Server) existing(path string) (object, error) {
	switch {
	case s.resources[path] == nil:
		return nil, notFound(path)
	case s.busy[path] != nil:
		return nil, invalid("resourceNotReady", "The resource '%s' is not ready", path)
	}
	return s.resources[path], nil
}

func alreadyExists(path string) error {
	return refuse(http.StatusConflict, "alreadyExists", "The resource '%s' already exists", path)
}
