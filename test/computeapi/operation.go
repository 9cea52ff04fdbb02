// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"net/http"
	"strconv"
	"strings"
)

// operation is a change that takes its time: it is PENDING when it is started,
// RUNNING at the first look and DONE at the second, when it takes effect.
type operation struct {
	object
	target string
	effect func()
	fault  Fault
	looks  int
}

// start begins an operation on the resource at target, unless a request with the
// same requestId has.
func (s *Server) start(req *request, fault Fault, target string, effect func()) object {
	segments := strings.Split(req.path, "/")
	id := s.id()
	name := "operation-" + id
	op := &operation{target: target, effect: effect, fault: fault}
	scope := strings.Join(segments[:4], "/")
	if segments[2] == "global" {
		scope = strings.Join(segments[:3], "/")
	}
	op.object = object{
		"kind":          "compute#operation",
		"id":            id,
		"name":          name,
		"operationType": req.method.ID[strings.LastIndex(req.method.ID, ".")+1:],
		"targetLink":    link(target),
		"status":        "PENDING",
		"progress":      0,
		"insertTime":    timestamp,
		"selfLink":      link(scope + "/operations/" + name),
	}
	switch segments[2] {
	case "regions":
		op.object["region"] = link(scope)
	case "zones":
		op.object["zone"] = link(scope)
	}
	s.operations[scope+"/operations/"+name] = op
	s.busy[target] = op
	if id := req.query.Get("requestId"); id != "" {
		s.requests[id] = op
	}
	return op.object
}

// repeated returns the operation that an earlier request with the same requestId
// has started.
func (s *Server) repeated(req *request) *operation {
	id := req.query.Get("requestId")
	if id == "" {
		return nil
	}
	return s.requests[id]
}

// changing is the handler of a method that changes a resource that is there: it
// starts an operation with the effect that plan returns.
func changing(plan func(s *Server, req *request, path string, r object) (effect func(), err error)) handler {
	return func(s *Server, req *request, fault Fault) (object, error) {
		if op := s.repeated(req); op != nil {
			return op.object, nil
		}
		path := req.resource()
		r, err := s.existing(path)
		if err != nil {
			return nil, err
		}
		effect, err := plan(s, req, path, r)
		if err != nil {
			return nil, err
		}
		return s.start(req, fault, path, effect), nil
	}
}

func getOperation(s *Server, req *request, _ Fault) (object, error) {
	op := s.operations[req.path]
	if op == nil {
		return nil, notFound(req.path)
	}
	s.look(op)
	return op.object, nil
}

// waitOperation answers when the operation is done, as the service does within two
// minutes. One that never ends is still RUNNING then.
func waitOperation(s *Server, req *request, _ Fault) (object, error) {
	path := strings.TrimSuffix(req.path, "/wait")
	op := s.operations[path]
	if op == nil {
		return nil, notFound(path)
	}
	for op.object["status"] != "DONE" {
		if s.look(op); op.fault.Stuck {
			break
		}
	}
	return op.object, nil
}

// listOperations shows what is and was under way.
func listOperations(s *Server, req *request, _ Fault) (object, error) {
	known := map[string]object{}
	for path, op := range s.operations {
		known[path] = op.object
	}
	page, next, err := s.pageOf(req, known, func(path string) bool { return strings.HasPrefix(path, req.path+"/") })
	if err != nil {
		return nil, err
	}
	var items []any
	for _, path := range page {
		items = append(items, known[path])
	}
	answer := object{"id": req.path, "selfLink": link(req.path), "items": items}
	if next != "" {
		answer["nextPageToken"] = next
	}
	return answer, nil
}

func (s *Server) look(op *operation) {
	op.looks++
	switch {
	case op.looks == 1 || op.fault.Stuck:
		op.object["status"] = "RUNNING"
		op.object["startTime"] = timestamp
	case op.looks == 2:
		s.finish(op)
	}
}

func (s *Server) finish(op *operation) {
	delete(s.busy, op.target)
	op.object["status"] = "DONE"
	op.object["progress"] = 100
	op.object["endTime"] = timestamp
	if code := op.fault.OperationError; code != "" {
		op.object["httpErrorStatusCode"] = http.StatusBadRequest
		op.object["httpErrorMessage"] = "BAD REQUEST"
		op.object["error"] = object{"errors": []any{object{"code": code, "message": op.fault.Message}}}
		return
	}
	op.effect()
}

// Settle finishes all operations, as time does when nobody looks.
func (s *Server) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.busy {
		s.finish(op)
	}
}

// id gives out the next numeric ID.
func (s *Server) id() string {
	s.last++
	return strconv.FormatUint(7000000000000000000+s.last, 10)
}
