// SPDX-License-Identifier: Apache-2.0

package lbgcp

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/computeapi"
)

// record writes anew what gcloud sends: go test ./test/e2e/lbgcp -record
var record = flag.Bool("record", false, "write testdata anew from what gcloud sends")

const (
	labLines = "testdata/chapter8.sh"         // the lab's chapter 8, word for word
	labCalls = "testdata/chapter8-calls.json" // what gcloud 528 sends for them
)

// newGcloudLab is a project as the lab's reader has it: all controllers are in one
// zone, which gcloud's configuration names, and nothing is in the environment.
func newGcloudLab(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	for i, zone := range zones {
		l.RemoveInstance(zone, controller(i))
		l.AddInstance("us-west1-c", controller(i), network, "RUNNING")
		l.SetHealth("us-west1-c", controller(i), "HEALTHY")
	}
	file := l.Path("gcloud", "configurations", "config_lab")
	l.Must(os.MkdirAll(filepath.Dir(file), 0o700))
	l.Must(os.WriteFile(file, []byte(`[core]
account = me@example.com
project = `+project+`
disable_prompts = true
disable_usage_reporting = true
check_gce_metadata = false

[compute]
region = us-west1
zone = us-west1-c

[auth]
disable_credentials = true

[api_endpoint_overrides]
compute = `+l.Endpoint+`

[component_manager]
disable_update_check = true
`), 0o600))
	l.Must(os.WriteFile(l.Path("gcloud", "active_config"), []byte("lab"), 0o600))
	return l
}

// configured runs khw-controller with gcloud's configuration alone.
func (l *lab) configured(args ...string) result {
	l.Helper()
	r, err := l.start(l.Context(), append(plainEnvironment(), "CLOUDSDK_CONFIG="+l.Path("gcloud")), append([]string{"lb"}, args...)...)
	l.Must(err)
	return r
}

// plainEnvironment is this one without what is said to gcloud in it.
func plainEnvironment() []string {
	var plain []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CLOUDSDK_") && !strings.HasPrefix(v, "GOOGLE_") {
			plain = append(plain, v)
		}
	}
	return plain
}

func hasGcloud() bool {
	_, err := exec.LookPath("gcloud")
	return err == nil
}

// shell runs lines that call gcloud.
func (l *lab) shell(lines string) {
	l.Helper()
	cmd := exec.CommandContext(l.Context(), "bash", "-e", "-u", "-c", lines)
	cmd.Env = append(plainEnvironment(), "CLOUDSDK_CONFIG="+l.Path("gcloud"))
	if out, err := cmd.CombinedOutput(); err != nil {
		l.Fatalf("%v\n%s\nof\n%s", err, out, lines)
	}
}

// typeTheLab has the lab's lines done: by gcloud where it is installed, else by the
// requests that it was seen to send for them.
func (l *lab) typeTheLab() {
	l.Helper()
	if !hasGcloud() {
		l.Log("gcloud is not installed: its requests are sent as they were recorded")
		l.replay()
		return
	}
	lines, err := os.ReadFile(labLines)
	l.Must(err)
	l.Forget()
	l.shell(string(lines))
	if *record {
		l.record()
	}
}

// recorded is one request in testdata.
type recorded struct{ Verb, Path, Query, Body string }

// record keeps the calls. Their links bear the endpoint of this run.
func (l *lab) record() {
	l.Helper()
	var all []recorded
	for _, c := range l.Calls() {
		all = append(all, recorded{c.Verb, c.Path, c.Query, strings.ReplaceAll(c.Body, l.Endpoint, "ENDPOINT/")})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	l.Must(e.Encode(all))
	l.Must(os.WriteFile(labCalls, b.Bytes(), 0o644))
}

func (l *lab) replay() {
	l.Helper()
	raw, err := os.ReadFile(labCalls)
	l.Must(err)
	var all []recorded
	l.Must(json.Unmarshal(raw, &all))
	for _, r := range all {
		body := strings.ReplaceAll(r.Body, "ENDPOINT/", l.Endpoint)
		req, err := http.NewRequestWithContext(l.Context(), r.Verb, l.Endpoint+r.Path+"?"+r.Query, strings.NewReader(body))
		l.Must(err)
		resp, err := http.DefaultClient.Do(req)
		l.Must(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			l.Fatalf("%s %s: %s", r.Verb, r.Path, resp.Status)
		}
	}
}

// TestLabIsAdopted types the lab's lines by hand: then there is nothing to do, and
// a deletion leaves what bears no mark.
func TestLabIsAdopted(t *testing.T) {
	t.Parallel()
	l := newGcloudLab(t)
	l.typeTheLab()
	l.Forget()
	l.want(l.configured("--cloud", "gcp", "--wait"), 0, "project "+project+", region us-west1", "nothing to do", "controller-2 (us-west1-c) HEALTHY", "https://203.0.113.80:6443")
	l.want(l.configured("status", "--cloud", "gcp"), 0, "TCP/6443", "RUNNING since")
	l.changes()

	deletion := l.configured("--cloud", "gcp", "--delete", "--yes")
	l.want(deletion, 0, "= target pool", "= firewall rule", "= forwarding rule", "not made by khw-controller")
	l.changes("targetPools.removeInstance", "targetPools.removeInstance", "targetPools.removeInstance")
	for _, path := range []string{"global/httpHealthChecks/kubernetes", "global/firewalls/kubernetes-the-hard-way-allow-health-check", region + "targetPools/kubernetes-target-pool", region + "forwardingRules/kubernetes-forwarding-rule"} {
		if l.Resource(path) == nil {
			t.Errorf("%s is gone, and bore no mark", path)
		}
	}
}

// TestRecordedRequestsDoTheSame as gcloud, for where it is not installed.
func TestRecordedRequestsDoTheSame(t *testing.T) {
	t.Parallel()
	l := newGcloudLab(t)
	l.replay()
	l.want(l.configured("--cloud", "gcp", "--dry-run"), 0, "nothing to do")
}

// TestPrintedCommandsDoTheSame has gcloud carry out what --print-commands prints:
// all of it, some changes, and the deletion.
func TestPrintedCommandsDoTheSame(t *testing.T) {
	t.Parallel()
	if !hasGcloud() {
		t.Skip("gcloud is not installed; what is printed is compared with testdata in pkg/lb/gcp")
	}
	changes := map[string]func(l *lab){
		"target-pool": func(l *lab) {
			l.Edit("global/httpHealthChecks/kubernetes", map[string]any{"checkIntervalSec": 30, "requestPath": "/"})
			l.Edit("global/firewalls/kubernetes-the-hard-way-allow-health-check", map[string]any{"disabled": true, "priority": 2000, "targetTags": []any{"web"}})
			l.Edit(region+"targetPools/kubernetes-target-pool", map[string]any{"healthChecks": nil})
			l.Edit(region+"forwardingRules/kubernetes-forwarding-rule", map[string]any{"portRange": "443-443"})
		},
		"backend-service": func(l *lab) {
			l.Edit(region+"healthChecks/kubernetes", map[string]any{"unhealthyThreshold": 4})
			l.Edit(region+"backendServices/kubernetes-backend-service", map[string]any{"sessionAffinity": "CLIENT_IP", "backends": nil, "connectionDraining": map[string]any{"drainingTimeoutSec": 60}})
		},
	}
	for kind, change := range changes {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l := newGcloudLab(t)
			l.Remove(region + "addresses/kubernetes-the-hard-way")
			flags := []string{"--cloud", "gcp", "--type", kind, "--create"}
			l.carryOut(flags...)
			l.want(l.configured(append(flags, "--dry-run")...), 0, "nothing to do")
			change(l)
			l.want(l.configured(append(flags, "--dry-run")...), 3, "to change")
			l.carryOut(flags...)
			l.want(l.configured(append(flags, "--dry-run")...), 0, "nothing to do")
			l.carryOut(append(flags, "--delete")...)
			if r := l.configured(append(flags, "--delete", "--dry-run")...); r.code != 0 || strings.Contains(r.out, ": kept") {
				t.Errorf("left:\n%s%s", r.out, r.err)
			}
		})
	}
}

// carryOut runs the printed lines. Printing them changes nothing.
func (l *lab) carryOut(flags ...string) {
	l.Helper()
	l.Forget()
	printed := l.configured(append(flags, "--print-commands")...)
	l.want(printed, 0, "gcloud compute")
	l.changes()
	l.shell(printed.out)
}

// TestGcloudListsAndDescribes is about the counterpart: gcloud reads what
// khw-controller has made, with lists of all zones and regions, in batches.
func TestGcloudListsAndDescribes(t *testing.T) {
	t.Parallel()
	if !hasGcloud() {
		t.Skip("gcloud is not installed; its requests are in the tests of test/computeapi")
	}
	l := newGcloudLab(t)
	l.want(l.configured("--cloud", "gcp"), 0)
	l.Forget()
	l.shell(`
test "$(gcloud compute target-pools list --format 'value(name)')" = kubernetes-target-pool
test "$(gcloud compute forwarding-rules list --format 'value(IPAddress)')" = 203.0.113.80
test "$(gcloud compute addresses list --format 'value(status)')" = IN_USE
test "$(gcloud compute target-pools get-health kubernetes-target-pool --format 'value(healthStatus[0].healthState)' | grep -c HEALTHY)" = 3
`)
	var lists int
	for _, c := range l.Calls() {
		if strings.HasSuffix(c.Method, ".aggregatedList") && strings.Contains(c.Query, "returnPartialSuccess=True") {
			lists++
		}
	}
	if lists == 0 {
		t.Errorf("gcloud did not list as it was seen to: %v", methods(l.Calls()))
	}
}

func methods(calls []computeapi.Call) []string {
	var all []string
	for _, c := range calls {
		all = append(all, c.Method)
	}
	return all
}
