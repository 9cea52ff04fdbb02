// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"fmt"
	"maps"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// request is a kind of request: who wants to do what to what.
type request struct {
	user, verb string
	// what is a group, a blank and a resource with its subresource, or a path.
	what string
}

// String returns it as one reads it.
func (r request) String() string { return fmt.Sprintf("%s %s %s", r.user, r.verb, r.what) }

// instead returns the request that takes the place of r where the machine has it so: a
// watch brings what there is, unless the apiserver's cache is not filled, and then it
// is listed before; an event is counted, where the same was recorded a moment ago.
func (r request) instead() request {
	switch {
	case r.verb == "list":
		r.verb = "watch"
	case r.verb == "patch" && strings.HasSuffix(r.what, " events"):
		r.verb = "create"
	}
	return r
}

// marks are what the apiserver has found out about a request.
type marks map[string]bool

// requests are the kinds of requests in an audit log, each with the marks that all of
// its kind have.
type requests map[request]marks

// admin is who asks in this test.
const admin = "admin"

// requestsIn sorts an audit log, without what the test itself asks for.
func requestsIn(events []auditv1.Event) requests {
	all := requests{}
	for _, event := range events {
		if event.User.Username == admin {
			continue
		}
		r, found := requestOf(event), marksOf(event)
		if all[r] == nil {
			all[r] = found
		}
		all[r].intersect(found)
	}
	return all
}

func requestOf(event auditv1.Event) request {
	r := request{user: event.User.Username, verb: event.Verb}
	if ref := event.ObjectRef; ref != nil && ref.Resource != "" {
		r.what = ref.APIGroup + " " + ref.Resource
		if ref.Subresource != "" {
			r.what += "/" + ref.Subresource
		}
		return r
	}
	r.what, _, _ = strings.Cut(event.RequestURI, "?")
	return r
}

func marksOf(event auditv1.Event) marks {
	found := marks{}
	for key, value := range event.Annotations {
		found["annotation "+key] = value != "" || key == "authorization.k8s.io/reason" // which is empty for whom is allowed everything
	}
	for _, group := range event.User.Groups {
		found["group "+group] = true
	}
	for key := range event.User.Extra {
		found["credential's "+key] = true
	}
	found["source address"] = len(event.SourceIPs) > 0
	found["user agent"] = event.UserAgent != ""
	return found
}

// intersect takes out what other lacks.
func (m marks) intersect(other marks) {
	maps.DeleteFunc(m, func(mark string, _ bool) bool { return !other[mark] })
}

// common are the marks of all requests.
func (r requests) common() marks {
	var all marks
	for _, found := range r {
		if all == nil {
			all = maps.Clone(found)
		}
		all.intersect(found)
	}
	return all
}
