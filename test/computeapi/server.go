// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

const basePath = "/compute/v1/"

// Call is a request that the server was sent.
type Call struct {
	// Method is its ID in the discovery document, or "" for none of its.
	Method string
	// Verb is its HTTP method, and Path is below /compute/v1/; Query and Body are as
	// they were sent.
	Verb, Path, Query, Body string
	// Needs are the permissions that it takes.
	Needs []string
	// Status is the HTTP status answered, or 0 if there was no answer.
	Status int
	// Authorized reports whether it bore credentials.
	Authorized bool
}

// Server is one project of Compute Engine.
type Server struct {
	// Endpoint is the base URL of its API, for option.WithEndpoint.
	Endpoint string
	// PageSize is how many items a page of a list has at most, where the request
	// does not ask for less.
	PageSize int

	project string
	doc     *document
	regions map[string][]string // region: its zones

	mu         sync.Mutex
	resources  map[string]object   // by path, "projects/…"
	members    map[string][]string // instance paths of an instance group, by its path
	operations map[string]*operation
	requests   map[string]*operation // by requestId
	busy       map[string]*operation // by the path of what it changes
	health     map[string]string     // by the path of an instance
	granted    []string              // permissions; nil is all
	faults     []*Fault
	calls      []Call
	last       uint64 // the last ID given out
}

// Start starts a server for a project with two regions of three zones each, in
// which there is nothing; it stops with the test.
func Start(t testing.TB, project string) *Server {
	t.Helper()
	doc, err := discover()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		PageSize: 500,
		project:  project,
		doc:      doc,
		regions: map[string][]string{
			"us-west1": {"us-west1-a", "us-west1-b", "us-west1-c"},
			"us-east1": {"us-east1-b", "us-east1-c", "us-east1-d"},
		},
		resources:  map[string]object{},
		members:    map[string][]string{},
		operations: map[string]*operation{},
		requests:   map[string]*operation{},
		busy:       map[string]*operation{},
		health:     map[string]string{},
	}
	listener := httptest.NewServer(s)
	s.Endpoint = listener.URL + basePath
	t.Cleanup(listener.Close)
	return s
}

// Calls returns what was called since Start or the last Forget.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Forget empties Calls.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// Changes returns the IDs of the methods called that change something.
func (s *Server) Changes() []string {
	var changes []string
	for _, c := range s.Calls() {
		verb := c.Method[strings.LastIndex(c.Method, ".")+1:]
		if !slices.Contains([]string{"get", "list", "aggregatedList", "listInstances", "getHealth"}, verb) {
			changes = append(changes, c.Method)
		}
	}
	return changes
}

// request is a call whose path, parameters and body the document allows.
type request struct {
	method *method
	path   string
	values map[string]string // of the path
	query  url.Values
	body   object
}

// ServeHTTP is the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == batchPath {
		s.batch(w, r)
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	s.mu.Lock()
	path := strings.TrimPrefix(r.URL.Path, basePath)
	m, values := s.doc.route(r.Method, path)
	s.calls = append(s.calls, Call{Verb: r.Method, Path: path, Query: r.URL.RawQuery, Body: string(raw), Authorized: r.Header.Get("Authorization") != ""})
	call := len(s.calls) - 1
	var fault Fault
	if m != nil {
		s.calls[call].Method = m.ID
		fault = s.fault(m.ID)
	}
	if fault.Hang {
		s.mu.Unlock()
		<-r.Context().Done()
		return
	}
	answer, err := s.answer(m, path, values, r.URL.Query(), raw, fault)
	status := http.StatusOK
	if err != nil {
		var e *apiError
		status = http.StatusInternalServerError
		if errors.As(err, &e) {
			status = e.code
		}
	}
	if !fault.Lost {
		s.calls[call].Status = status
	}
	s.mu.Unlock()
	switch {
	case fault.Lost:
		panic(http.ErrAbortHandler)
	case err != nil:
		writeError(w, err)
	default:
		write(w, status, answer)
	}
}

func (s *Server) answer(m *method, path string, values map[string]string, query url.Values, raw []byte, fault Fault) (object, error) {
	if m == nil {
		return nil, refuse(http.StatusNotFound, "notFound", "The requested URL %s%s was not found on this server.", basePath, path)
	}
	if fault.Code != 0 {
		return nil, refuse(fault.Code, fault.Reason, "%s", fault.Message)
	}
	req := &request{method: m, path: path, values: values, query: query}
	if len(raw) > 0 {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		if err := d.Decode(&req.body); err != nil {
			return nil, badRequest("Invalid JSON payload received. %s", err)
		}
	}
	s.calls[len(s.calls)-1].Needs = permissions(m.ID, req.body)
	if err := s.check(req); err != nil {
		return nil, err
	}
	handle := handlers[m.ID]
	if handle == nil {
		return nil, refuse(http.StatusNotImplemented, "notImplemented", "this counterpart of the service has no %s", m.ID)
	}
	answer, err := handle(s, req, fault)
	if err != nil {
		return nil, err
	}
	return s.conforming(m, answer)
}

// conforming holds the server's own answer against the document.
func (s *Server) conforming(m *method, answer object) (object, error) {
	raw, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var plain object
	if err := d.Decode(&plain); err != nil {
		return nil, err
	}
	if err := s.doc.check(&schema{reference: m.Response}, plain, m.Response.Ref); err != nil {
		return nil, fmt.Errorf("computeapi answers %s with what the document does not allow: %w", m.ID, err)
	}
	return plain, nil
}
