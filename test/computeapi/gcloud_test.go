// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// These requests are as gcloud 528 was seen to send them.

// TestWaitEndsWithTheOperation has one look suffice, however many would have been
// needed with get.
func TestWaitEndsWithTheOperation(t *testing.T) {
	s := furnished(t)
	for path, body := range map[string]string{
		global + "firewalls":     `{"name":"f","network":"` + s.Endpoint + global + `networks/net","allowed":[{"IPProtocol":"tcp"}],"direction":"INGRESS"}`,
		west + "targetPools":     `{"name":"t","sessionAffinity":"NONE"}`,
		zoneA + "instanceGroups": `{"name":"g"}`,
	} {
		_, op := ask(t, s, http.MethodPost, path+"?alt=json", body)
		self := strings.TrimPrefix(op["selfLink"].(string), linkBase)
		if code, op := ask(t, s, http.MethodPost, self+"/wait?alt=json", ""); code != http.StatusOK || op["status"] != "DONE" {
			t.Errorf("%s: %d %v", path, code, op)
		}
	}
	if s.Resource("global/firewalls/f") == nil || s.Resource("regions/us-west1/targetPools/t") == nil || s.Resource("zones/us-west1-a/instanceGroups/g") == nil {
		t.Error("an operation is done without effect")
	}
	s.Inject(Fault{Method: "compute.firewalls.delete", Stuck: true})
	_, op := ask(t, s, http.MethodDelete, global+"firewalls/f", "")
	if _, op = ask(t, s, http.MethodPost, strings.TrimPrefix(op["selfLink"].(string), linkBase)+"/wait", ""); op["status"] != "RUNNING" {
		t.Errorf("an operation that never ends is %v", op["status"])
	}
	if code, _ := ask(t, s, http.MethodPost, global+"operations/operation-1/wait", ""); code != http.StatusNotFound {
		t.Errorf("one that never was: %d", code)
	}
}

// TestAggregatedLists lists one resource of each collection, with a scope for each
// place that has none.
func TestAggregatedLists(t *testing.T) {
	s := furnished(t)
	done(t, s, http.MethodPost, west+"healthChecks", `{"name":"h","type":"HTTP","httpHealthCheck":{"port":80}}`)
	done(t, s, http.MethodPost, west+"backendServices", `{"name":"b","loadBalancingScheme":"EXTERNAL","healthChecks":["regions/us-west1/healthChecks/h"]}`)
	done(t, s, http.MethodPost, west+"targetPools", `{"name":"t"}`)
	done(t, s, http.MethodPost, west+"forwardingRules", `{"name":"r","IPAddress":"203.0.113.1","portRange":"6443","target":"regions/us-west1/targetPools/t"}`)
	done(t, s, http.MethodPost, zoneA+"instanceGroups", `{"name":"g"}`)
	for collection, scopes := range map[string][2]string{
		"addresses":       {"regions/us-west1", "regions/us-east1"},
		"forwardingRules": {"regions/us-west1", "regions/us-east1"},
		"targetPools":     {"regions/us-west1", "regions/us-east1"},
		"backendServices": {"regions/us-west1", "regions/us-east1"},
		"healthChecks":    {"regions/us-west1", "regions/us-east1"},
		"instanceGroups":  {"zones/us-west1-a", "zones/us-west1-b"},
		"instances":       {"zones/us-west1-a", "zones/us-west1-b"},
	} {
		code, answer := ask(t, s, http.MethodGet, "projects/p/aggregated/"+collection+"?alt=json&includeAllScopes=True&maxResults=500&returnPartialSuccess=True", "")
		items, _ := answer["items"].(map[string]any)
		full, _ := items[scopes[0]].(map[string]any)
		empty, _ := items[scopes[1]].(map[string]any)
		if found, _ := full[collection].([]any); code != http.StatusOK || len(found) != 1 || empty["warning"] == nil {
			t.Errorf("%s: %d %v", collection, code, answer)
		}
	}
}

// TestUpdateReplaces sends whole resources: a field that is left out gets the
// service's own value again, which a patch would keep.
func TestUpdateReplaces(t *testing.T) {
	s := furnished(t)
	done(t, s, http.MethodPut, global+"httpHealthChecks/check", `{"name":"check","checkIntervalSec":7,"timeoutSec":3,"port":8080}`)
	done(t, s, http.MethodPut, global+"httpHealthChecks/check", `{"name":"check","checkIntervalSec":9}`)
	check := s.Resource("global/httpHealthChecks/check")
	if integer(check["checkIntervalSec"]) != 9 || integer(check["port"]) != 80 || integer(check["timeoutSec"]) != 5 || check["selfLink"] == nil || check["id"] == nil {
		t.Errorf("%v", check)
	}
	done(t, s, http.MethodPatch, global+"httpHealthChecks/check", `{"healthyThreshold":4}`)
	if check = s.Resource("global/httpHealthChecks/check"); integer(check["checkIntervalSec"]) != 9 || integer(check["healthyThreshold"]) != 4 {
		t.Errorf("%v", check)
	}

	done(t, s, http.MethodPost, global+"firewalls", `{"name":"f","network":"global/networks/net","allowed":[{"IPProtocol":"tcp"}],"targetTags":["web"],"priority":900}`)
	done(t, s, http.MethodPut, global+"firewalls/f", `{"name":"f","allowed":[{"IPProtocol":"udp"}]}`)
	if rule := s.Resource("global/firewalls/f"); rule["targetTags"] != nil || integer(rule["priority"]) != 1000 || rule["network"] == nil {
		t.Errorf("%v", rule)
	}

	done(t, s, http.MethodPost, west+"healthChecks", `{"name":"h","type":"HTTP","httpHealthCheck":{"port":80,"host":"one"}}`)
	done(t, s, http.MethodPut, west+"healthChecks/h", `{"name":"h","type":"HTTP","httpHealthCheck":{"port":81}}`)
	if http, _ := s.Resource("regions/us-west1/healthChecks/h")["httpHealthCheck"].(object); http["host"] != nil || integer(http["port"]) != 81 {
		t.Errorf("%v", http)
	}

	done(t, s, http.MethodPost, west+"backendServices", `{"name":"b","loadBalancingScheme":"EXTERNAL","sessionAffinity":"CLIENT_IP","healthChecks":["regions/us-west1/healthChecks/h"]}`)
	stale := `{"name":"b","fingerprint":"AAAA","healthChecks":["regions/us-west1/healthChecks/h"]}`
	if code, _ := ask(t, s, http.MethodPut, west+"backendServices/b", stale); code != http.StatusPreconditionFailed {
		t.Errorf("a stale fingerprint passes: %d", code)
	}
	current := strings.Replace(stale, "AAAA", s.Resource("regions/us-west1/backendServices/b")["fingerprint"].(string), 1)
	done(t, s, http.MethodPut, west+"backendServices/b", current)
	if service := s.Resource("regions/us-west1/backendServices/b"); service["sessionAffinity"] != "NONE" || service["loadBalancingScheme"] != "EXTERNAL" {
		t.Errorf("%v", service)
	}
}

// TestLimits are of numbers that the document gives no bounds for.
func TestLimits(t *testing.T) {
	s := furnished(t)
	done(t, s, http.MethodPost, west+"healthChecks", `{"name":"h","type":"HTTP","httpHealthCheck":{"port":80}}`)
	const check, service, rule = `{"name":"c",%}`, `{"name":"b","loadBalancingScheme":"EXTERNAL","healthChecks":["regions/us-west1/healthChecks/h"],%}`, `{"name":"f","network":"global/networks/net","allowed":[{"IPProtocol":"tcp"}],%}`
	for field, at := range map[string][2]string{
		`"checkIntervalSec":3`:                             {global + "httpHealthChecks", check}, // the timeout is 5
		`"checkIntervalSec":301`:                           {global + "httpHealthChecks", check},
		`"healthyThreshold":11`:                            {global + "httpHealthChecks", check},
		`"unhealthyThreshold":11`:                          {west + "healthChecks", `{"name":"c","type":"HTTP","httpHealthCheck":{"port":80},%}`},
		`"sessionAffinity":"HTTP_COOKIE"`:                  {west + "backendServices", service},
		`"connectionDraining":{"drainingTimeoutSec":3601}`: {west + "backendServices", service},
		`"sessionAffinity":"CLIENT_IP_PORT_PROTO"`:         {west + "targetPools", check},
		`"priority":65536`:                                 {global + "firewalls", rule},
	} {
		code, answer := ask(t, s, http.MethodPost, at[0], strings.Replace(at[1], "%", field, 1))
		if name := strings.Split(field, `"`)[1]; code != http.StatusBadRequest || !strings.Contains(answer["error"].(map[string]any)["message"].(string), name[:4]) {
			t.Errorf("%s: %d %v", field, code, answer)
		}
	}
}

func TestFilters(t *testing.T) {
	s := furnished(t)
	for filter, want := range map[string]int{
		`(name = "one") OR (name = "far")`: 2,
		`name = "one"`:                     1,
		`name != "one"`:                    1,
		`name eq ".*(o|x)n.*"`:             1,
		`status = "TERMINATED"`:            0,
	} {
		code, answer := ask(t, s, http.MethodGet, "projects/p/aggregated/instances?filter="+strings.NewReplacer(" ", "%20", `"`, "%22").Replace(filter), "")
		found := 0
		for _, scope := range answer["items"].(map[string]any) {
			instances, _ := scope.(map[string]any)["instances"].([]any)
			found += len(instances)
		}
		if code != http.StatusOK || found != want {
			t.Errorf("%s: %d, %d found, want %d", filter, code, found, want)
		}
	}
}

func TestOperationsAreListed(t *testing.T) {
	s := furnished(t)
	running := "?filter=status%20!=%20%22DONE%22"
	ask(t, s, http.MethodDelete, global+"httpHealthChecks/check", "")
	for query, want := range map[string]int{"": 2, running: 1} {
		code, answer := ask(t, s, http.MethodGet, global+"operations"+query, "")
		if items, _ := answer["items"].([]any); code != http.StatusOK || len(items) != want {
			t.Errorf("%q: %d %v", query, code, answer)
		}
	}
	if _, answer := ask(t, s, http.MethodGet, west+"operations"+running, ""); answer["items"] != nil {
		t.Errorf("another place has %v", answer["items"])
	}
}

// TestBatch sends two requests in one, as target-pools get-health does.
func TestBatch(t *testing.T) {
	s := furnished(t)
	body := strings.ReplaceAll(`--x
Content-Type: application/http
Content-ID: <id+0>

GET /compute/v1/projects/p/global/httpHealthChecks/check?alt=json HTTP/1.1
accept: application/json
Host: 127.0.0.1


--x
Content-Type: application/http
Content-ID: <id+1>

POST /compute/v1/projects/p/regions/us-west1/targetPools?alt=json HTTP/1.1
Content-Type: application/json
content-length: 12
Host: 127.0.0.1

{"name":"t"}
--x--`, "\n", "\r\n")
	code, contentType, answer := sendBatch(t, s, `multipart/mixed; boundary="x"`, body)
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || code != http.StatusOK {
		t.Fatalf("%d %v", code, err)
	}
	parts := multipart.NewReader(strings.NewReader(answer), parameters["boundary"])
	for n, want := range []string{"compute#httpHealthCheck", "compute#operation"} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		id := part.Header.Get("Content-Id")
		if id != fmt.Sprintf("<response-id+%d>", n) || !strings.HasPrefix(string(raw), "HTTP/1.1 200 OK\r\n") || !strings.Contains(string(raw), want) {
			t.Errorf("%s: %s, want %s", id, raw, want)
		}
	}
	for _, contentType := range []string{"", "application/json", `multipart/mixed; boundary="y"`} {
		if code, _, _ := sendBatch(t, s, contentType, body); code != http.StatusBadRequest {
			t.Errorf("a batch of type %q passes: %d", contentType, code)
		}
	}
}

func sendBatch(t *testing.T, s *Server, contentType, body string) (code int, answerType, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(s.Endpoint, basePath)+batchPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(raw)
}
