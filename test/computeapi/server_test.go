// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ask sends a request below Endpoint, and returns the status and the answer.
func ask(t *testing.T, s *Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.Endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return resp.StatusCode, answer
}

// done does a change and looks at its operation until it is done.
func done(t *testing.T, s *Server, method, path, body string) map[string]any {
	t.Helper()
	code, op := ask(t, s, method, path, body)
	if code != http.StatusOK || op["status"] != "PENDING" {
		t.Fatalf("%s %s: %d %v", method, path, code, op)
	}
	self := strings.TrimPrefix(op["selfLink"].(string), linkBase)
	for _, want := range []string{"RUNNING", "DONE"} {
		if code, op = ask(t, s, http.MethodGet, self, ""); code != http.StatusOK || op["status"] != want {
			t.Fatalf("%s %s: operation %d %v, want %s", method, path, code, op, want)
		}
	}
	return op
}

const (
	global = "projects/p/global/"
	west   = "projects/p/regions/us-west1/"
	zoneA  = "projects/p/zones/us-west1-a/"
)

// furnished is a server with a health check, an address, a network and two
// instances.
func furnished(t *testing.T) *Server {
	s := Start(t, "p")
	s.AddNetwork("net")
	s.AddAddress("us-west1", "address", "203.0.113.1")
	s.AddInstance("us-west1-a", "one", "net", "RUNNING")
	s.AddInstance("us-east1-b", "far", "net", "RUNNING")
	done(t, s, http.MethodPost, global+"httpHealthChecks", `{"name":"check"}`)
	return s
}

func TestRefuses(t *testing.T) {
	tests := map[string]struct {
		method, path, body string
		code               int
		reason, says       string
	}{
		"an unknown field":          {"POST", global + "firewalls", `{"name":"f","sourceRange":["10.0.0.0/8"]}`, 400, "badRequest", `Unknown name "sourceRange" at 'resource'`},
		"an unknown nested field":   {"POST", global + "firewalls", `{"name":"f","allowed":[{"protocol":"tcp"}]}`, 400, "badRequest", `Unknown name "protocol" at 'resource.allowed[0]'`},
		"a wrong enum":              {"POST", west + "forwardingRules", `{"name":"r","loadBalancingScheme":"OUTSIDE"}`, 400, "invalid", "resource.loadBalancingScheme"},
		"a wrong type":              {"POST", global + "httpHealthChecks", `{"name":"h","port":"80"}`, 400, "badRequest", "Invalid value at 'resource.port'"},
		"a number too large":        {"POST", global + "httpHealthChecks", `{"name":"h","port":8000000000}`, 400, "badRequest", "resource.port"},
		"a list that is none":       {"POST", global + "firewalls", `{"name":"f","sourceRanges":"10.0.0.0/8"}`, 400, "badRequest", "resource.sourceRanges"},
		"a bad name":                {"POST", global + "firewalls", `{"name":"Not_A_Name","allowed":[{"IPProtocol":"tcp"}]}`, 400, "invalid", "match of regex"},
		"no name":                   {"POST", global + "firewalls", `{"allowed":[{"IPProtocol":"tcp"}]}`, 400, "required", "resource.name"},
		"no JSON":                   {"POST", global + "firewalls", `{`, 400, "badRequest", "Invalid JSON payload"},
		"a bad fingerprint":         {"PATCH", west + "backendServices/b", `{"fingerprint":"?"}`, 400, "badRequest", "resource.fingerprint"},
		"an unknown parameter":      {"GET", global + "firewalls/f?verbose=1", "", 400, "badRequest", `Unknown name "verbose"`},
		"a mistyped parameter":      {"GET", global + "firewalls?maxResults=ten", "", 400, "badRequest", "maxResults"},
		"a requestId of its own":    {"DELETE", global + "firewalls/f?requestId=1", "", 400, "invalid", "must be a valid uuid"},
		"a filter of its own":       {"GET", "projects/p/aggregated/instances?filter=name%3Done", "", 400, "invalid", "filter"},
		"an unknown path":           {"GET", global + "firewall/f", "", 404, "notFound", "was not found on this server"},
		"a wrong method":            {"PUT", global + "firewalls", "{}", 404, "notFound", "was not found on this server"},
		"a method left out":         {"GET", global + "images", "", 501, "notImplemented", "compute.images.list"},
		"another project":           {"GET", "projects/q/global/firewalls/f", "", 404, "notFound", "'projects/q'"},
		"an unknown region":         {"GET", "projects/p/regions/mars1/targetPools/t", "", 400, "invalid", "Unknown region"},
		"an unknown zone":           {"GET", "projects/p/zones/us-west1-z/instanceGroups/g", "", 400, "invalid", "Unknown zone"},
		"what is not there":         {"GET", global + "firewalls/f", "", 404, "notFound", "'projects/p/global/firewalls/f'"},
		"what exists":               {"POST", global + "httpHealthChecks", `{"name":"check"}`, 409, "alreadyExists", "already exists"},
		"a network not there":       {"POST", global + "firewalls", `{"name":"f","network":"global/networks/no","allowed":[{"IPProtocol":"tcp"}]}`, 404, "notFound", "networks/no"},
		"a rule that allows none":   {"POST", global + "firewalls", `{"name":"f","network":"global/networks/net"}`, 400, "invalid", "allowed and denied"},
		"a range that is none":      {"POST", global + "firewalls", `{"name":"f","network":"global/networks/net","allowed":[{"IPProtocol":"tcp"}],"sourceRanges":["10.0.0.1/8"]}`, 400, "invalid", "sourceRanges[0]"},
		"a pool's check not there":  {"POST", west + "targetPools", `{"name":"t","healthChecks":["global/httpHealthChecks/no"]}`, 404, "notFound", "httpHealthChecks/no"},
		"a pool's modern check":     {"POST", west + "targetPools", `{"name":"t","healthChecks":["regions/us-west1/healthChecks/check"]}`, 400, "invalid", "healthChecks[0]"},
		"an instance far away":      {"POST", west + "targetPools", `{"name":"t","instances":["zones/us-east1-b/instances/far"]}`, 400, "invalid", "instances[0]"},
		"a rule without a target":   {"POST", west + "forwardingRules", `{"name":"r"}`, 400, "invalid", "target and backendService"},
		"a target not there":        {"POST", west + "forwardingRules", `{"name":"r","target":"regions/us-west1/targetPools/no"}`, 404, "notFound", "targetPools/no"},
		"a link to nowhere":         {"POST", west + "forwardingRules", `{"name":"r","target":"http://example.com/t"}`, 400, "invalid", "malformed"},
		"a service in another way":  {"POST", west + "backendServices", `{"name":"b","loadBalancingScheme":"INTERNAL","healthChecks":["x"]}`, 400, "invalid", "loadBalancingScheme"},
		"a check without its parts": {"POST", west + "healthChecks", `{"name":"h","type":"HTTP"}`, 400, "invalid", "httpHealthCheck"},
		"a group of another zone":   {"POST", zoneA + "instanceGroups/g/addInstances", `{"instances":[{"instance":"zones/us-west1-b/instances/one"}]}`, 404, "notFound", "instanceGroups/g"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := furnished(t)
			code, answer := ask(t, s, test.method, test.path, test.body)
			problem, _ := answer["error"].(map[string]any)
			if code != test.code || problem["code"] != float64(test.code) {
				t.Fatalf("%d %v, want %d", code, answer, test.code)
			}
			detail := problem["errors"].([]any)[0].(map[string]any)
			if detail["reason"] != test.reason {
				t.Errorf("reason %v, want %s", detail["reason"], test.reason)
			}
			if message, _ := problem["message"].(string); !strings.Contains(strings.ToLower(message), strings.ToLower(test.says)) {
				t.Errorf("it says %q, want %q in it", message, test.says)
			}
		})
	}
}

func TestOperationTakesEffectWhenDone(t *testing.T) {
	s := furnished(t)
	const firewall = `{"name":"f","network":"global/networks/net","allowed":[{"IPProtocol":"tcp"}]}`
	const id = "?requestId=00000000-0000-4000-8000-000000000001"
	_, first := ask(t, s, http.MethodPost, global+"firewalls"+id, firewall)
	if code, _ := ask(t, s, http.MethodGet, global+"firewalls/f", ""); code != http.StatusNotFound {
		t.Errorf("it is there before its operation is done: %d", code)
	}
	if code, _ := ask(t, s, http.MethodPost, global+"firewalls", firewall); code != http.StatusConflict {
		t.Errorf("it can be made twice at once: %d", code)
	}
	if _, again := ask(t, s, http.MethodPost, global+"firewalls"+id, firewall); again["name"] != first["name"] {
		t.Errorf("the same requestId starts %v after %v", again["name"], first["name"])
	}
	s.Settle()
	code, made := ask(t, s, http.MethodGet, global+"firewalls/f", "")
	if code != http.StatusOK || made["network"] != linkBase+"projects/p/global/networks/net" || made["direction"] != "INGRESS" {
		t.Errorf("%d %v", code, made)
	}
	ask(t, s, http.MethodPatch, global+"firewalls/f", `{"disabled":true}`)
	if code, answer := ask(t, s, http.MethodDelete, global+"firewalls/f", ""); code != http.StatusBadRequest || !strings.Contains(answer["error"].(map[string]any)["message"].(string), "is not ready") {
		t.Errorf("it can be deleted while it is changed: %d %v", code, answer)
	}
}

func TestFingerprintsGuardAndUsersHold(t *testing.T) {
	s := furnished(t)
	done(t, s, http.MethodPost, west+"healthChecks", `{"name":"h","type":"HTTP","httpHealthCheck":{"port":80}}`)
	done(t, s, http.MethodPost, west+"backendServices", `{"name":"b","loadBalancingScheme":"EXTERNAL","healthChecks":["regions/us-west1/healthChecks/h"]}`)
	done(t, s, http.MethodPost, zoneA+"instanceGroups", `{"name":"g"}`)
	done(t, s, http.MethodPost, zoneA+"instanceGroups/g/addInstances", `{"instances":[{"instance":"zones/us-west1-a/instances/one"}]}`)

	_, service := ask(t, s, http.MethodGet, west+"backendServices/b", "")
	patch := func(fingerprint any) (int, map[string]any) {
		body, _ := json.Marshal(map[string]any{"fingerprint": fingerprint, "backends": []any{map[string]any{"group": "zones/us-west1-a/instanceGroups/g", "balancingMode": "CONNECTION"}}})
		return ask(t, s, http.MethodPatch, west+"backendServices/b", string(body))
	}
	if code, _ := patch("AAAA"); code != http.StatusPreconditionFailed {
		t.Errorf("a stale fingerprint passes: %d", code)
	}
	if code, answer := patch(service["fingerprint"]); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	s.Settle()
	if code, _ := patch(service["fingerprint"]); code != http.StatusPreconditionFailed {
		t.Errorf("a fingerprint can be used twice: %d", code)
	}
	for _, used := range []string{west + "healthChecks/h", zoneA + "instanceGroups/g"} {
		code, answer := ask(t, s, http.MethodDelete, used, "")
		if code != http.StatusBadRequest || !strings.Contains(answer["error"].(map[string]any)["message"].(string), "already being used") {
			t.Errorf("%s can be deleted: %d %v", used, code, answer)
		}
	}
	if code, answer := ask(t, s, http.MethodPost, zoneA+"instanceGroups/g/addInstances", `{"instances":[{"instance":"zones/us-west1-a/instances/one"}]}`); code != http.StatusBadRequest {
		t.Errorf("an instance is twice in a group: %d %v", code, answer)
	}
	s.SetHealth("us-west1-a", "one", "HEALTHY")
	_, answer := ask(t, s, http.MethodPost, west+"backendServices/b/getHealth", `{"group":"zones/us-west1-a/instanceGroups/g"}`)
	if status, _ := answer["healthStatus"].([]any); len(status) != 1 {
		t.Errorf("getHealth: %v", answer)
	}
}

func TestListsArePaged(t *testing.T) {
	s := furnished(t)
	s.PageSize = 1
	found, token := []string{}, ""
	for {
		_, answer := ask(t, s, http.MethodGet, "projects/p/aggregated/instances?pageToken="+token, "")
		for scope, items := range answer["items"].(map[string]any) {
			if instances, ok := items.(map[string]any)["instances"].([]any); ok && len(instances) == 1 {
				found = append(found, scope)
			}
		}
		if token, _ = answer["nextPageToken"].(string); token == "" {
			break
		}
	}
	if len(found) != 2 {
		t.Errorf("pages hold %v", found)
	}
}

func TestRolesHold(t *testing.T) {
	s := furnished(t)
	s.Grant("compute.firewalls.create")
	code, answer := ask(t, s, http.MethodPost, global+"firewalls", `{"name":"f","network":"global/networks/net","allowed":[{"IPProtocol":"tcp"}]}`)
	if code != http.StatusForbidden || !strings.Contains(answer["error"].(map[string]any)["message"].(string), "compute.networks.updatePolicy") {
		t.Errorf("%d %v", code, answer)
	}
}

func TestFaults(t *testing.T) {
	s := furnished(t)
	s.Inject(Fault{Method: "compute.firewalls.get", Times: 1, Code: 429, Reason: "rateLimitExceeded", Message: "slow down"})
	s.Inject(Fault{Method: "compute.httpHealthChecks.delete", OperationError: "INTERNAL", Message: "no luck"})
	for _, want := range []int{429, 404} {
		if code, _ := ask(t, s, http.MethodGet, global+"firewalls/f", ""); code != want {
			t.Errorf("%d, want %d", code, want)
		}
	}
	op := done(t, s, http.MethodDelete, global+"httpHealthChecks/check", "")
	if op["error"] == nil || s.Resource("global/httpHealthChecks/check") == nil {
		t.Errorf("%v", op)
	}
	s.Heal()
	if op = done(t, s, http.MethodDelete, global+"httpHealthChecks/check", ""); op["error"] != nil || s.Resource("global/httpHealthChecks/check") != nil {
		t.Errorf("%v", op)
	}
}

func TestWhatCanBeRead(t *testing.T) {
	s := furnished(t)
	for path, kind := range map[string]string{
		"projects/p/regions/us-west1":     "compute#region",
		"projects/p/zones/us-west1-a":     "compute#zone",
		global + "networks/net":           "compute#network",
		global + "httpHealthChecks/check": "compute#httpHealthCheck",
		west + "addresses/address":        "compute#address",
		zoneA + "instances/one":           "compute#instance",
	} {
		if code, answer := ask(t, s, http.MethodGet, path, ""); code != http.StatusOK || answer["kind"] != kind {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
	for path, want := range map[string]int{zoneA + "instances": 1, west + "addresses": 1, global + "firewalls": 0} {
		code, answer := ask(t, s, http.MethodGet, path, "")
		if items, _ := answer["items"].([]any); code != http.StatusOK || len(items) != want {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
}

// TestMethodsAreOfTheDocument finds handlers that no request can reach.
func TestMethodsAreOfTheDocument(t *testing.T) {
	doc, err := discover()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range doc.Resources {
		for _, m := range r.Methods {
			known[m.ID] = true
		}
	}
	for id := range handlers {
		if !known[id] {
			t.Errorf("%s is no method of the document", id)
		}
	}
}
