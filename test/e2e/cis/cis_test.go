// SPDX-License-Identifier: Apache-2.0

// Package cis starts a controller with the profile cis and one without, holds both
// against the CIS Kubernetes Benchmark as `khw-controller verify --profile cis` does, and
// looks whether what that says is so.
package cis

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/cis"
	"github.com/khw-controller/khw-controller/pkg/verify"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// khw runs a command on a controller's root.
func khw(c *harness.Controller, args ...string) (stdout, stderr string, code int) {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), c.Binary(), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		c.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// benchmark runs verify --profile cis, and returns each item's result.
func benchmark(c *harness.Controller) map[string]cis.Result {
	c.Helper()
	args := append([]string{"verify"}, c.RunArgs()...)
	out, stderr, code := khw(c, append(args, "--profile", "cis", "-o", "json")...)
	var report struct {
		Benchmark string
		Items     []cis.Result
		Failed    int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		c.Fatalf("verify --profile cis prints %q and %q: %v", out, stderr, err)
	}
	if report.Benchmark != cis.Benchmark || (code == 1) != (report.Failed > 0) || code > 1 || stderr != "" {
		c.Errorf("%s: exit code %d with %d that fail; stderr %q", report.Benchmark, code, report.Failed, stderr)
	}
	results := map[string]cis.Result{}
	for _, r := range report.Items {
		results[r.ID] = r
	}
	return results
}

// set are the items that the profile is for.
var set = []string{"1.2.1", "1.2.3", "1.2.9", "1.2.15", "1.2.18", "1.2.29", "1.2.30", "1.3.1", "1.3.2", "1.4.1", "3.2.1", "3.2.2",
	"5.2.1", "5.2.2", "5.2.3", "5.2.4", "5.2.5", "5.2.10", "5.2.11", "5.2.12"}

// labs are those for which the lab has its reasons, with the profile too.
var labs = []string{"1.2.11", "2.7", "3.1.1", "5.1.7", "5.2.6", "5.2.7", "5.2.8", "5.2.9", "5.5.1"}

const password = "nobody-may-read-this-in-a-log"

func TestTheProfile(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Args = []string{"--profile", "cis"}
	if out, stderr, code := khw(c, append([]string{"check"}, c.RunArgs()...)...); code != 0 {
		t.Errorf("check on an empty root exits with %d: %s%s", code, out, stderr)
	}
	if _, err := os.Stat(c.Lab("audit-policy.yaml")); err == nil {
		t.Error("check has made the audit policy")
	}
	c.StartReady()

	healthChecksWork(c)
	nobodyIsLetIn(c)
	results := benchmark(c)
	for id, r := range results {
		if r.Outcome == verify.Failed {
			t.Errorf("%s: %v", r.Step, r.Failures)
		}
		if r.Outcome == verify.Differs && r.Differs == "" || r.Outcome == verify.Skipped && r.Skipped == "" {
			t.Errorf("%s %s for no reason", id, r.Outcome)
		}
	}
	for _, id := range set {
		if results[id].Outcome != verify.Passed {
			t.Errorf("%s %s", results[id].Step, results[id].Outcome)
		}
	}
	for _, id := range labs {
		if results[id].Outcome != verify.Differs {
			t.Errorf("%s %s", results[id].Step, results[id].Outcome)
		}
	}
	// The lab's own verification knows what was asked for.
	e.Eventually("the lab's verification", func(context.Context) error {
		out, _, _ := khw(c, append([]string{"verify"}, c.RunArgs()...)...)
		for _, line := range strings.Split(out, "\n") {
			// The ports of componentstatuses are not Kubernetes' own here.
			if strings.HasPrefix(line, "[FAILED]") && !strings.Contains(line, "componentstatuses") {
				return errors.New(out)
			}
		}
		return nil
	})
	podsAreLookedAt(c)
	servicesAreLookedAt(c)
	noProfiles(c)
	onlyStrongSuites(c)
	secret := "-n kube-system create secret generic cis --from-literal=password=" + password
	c.Kubectl(strings.Fields(secret)...)
	c.Kubectl("-n", "kube-system", "get", "secret", "cis", "-o", "yaml")
	token := strings.TrimSpace(c.Kubectl("create", "token", "default"))
	c.Kubectl("create", "clusterrolebinding", "cis-audited", "--clusterrole=view", "--user=somebody")
	auditIsUseful(c, []string{password, base64.StdEncoding.EncodeToString([]byte(password)), token})

	if out, _, _ := khw(c, "status", "--root", c.Root); strings.Contains(out, "nothing is audited") || !strings.Contains(out, "profile") {
		t.Errorf("status says:\n%s", out)
	}
	_, stderr, code := khw(c, append(append([]string{"verify"}, c.RunArgs()...), "--profile", "cis", "--kube-apiserver-arg", "event-ttl=2h")...)
	if code != 1 || !strings.Contains(stderr, "was started without kube-apiserver --event-ttl=2h") {
		t.Errorf("with other flags, verify exits with %d: %s", code, stderr)
	}
	c.StopInOrder()

	// What is a user's stays, and counts.
	const own = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n"
	e.Must(os.WriteFile(c.Lab("audit-policy.yaml"), []byte(own), 0o600))
	c.Args = append(c.Args, "--kube-apiserver-arg", "anonymous-auth=true")
	c.StartReady()
	data, err := os.ReadFile(c.Lab("audit-policy.yaml"))
	e.Must(err)
	if string(data) != own {
		t.Errorf("the audit policy was written over: %s", data)
	}
	results = benchmark(c)
	for _, id := range []string{"1.2.1", "3.2.2"} {
		if r := results[id]; r.Outcome != verify.Failed {
			t.Errorf("%s %s: %v", r.Step, r.Outcome, r.Output)
		}
	}
	c.StopInOrder()
}

// TestTheLab wants a controller without the profile to fail what the profile is for, with
// the fix, and to say what the lab has its reasons for.
func TestTheLab(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady()
	results := benchmark(c)
	if len(results) < 100 {
		t.Errorf("%d items", len(results))
	}
	for _, id := range set {
		r := results[id]
		switch {
		case id == "1.2.18": // the lab's own value
			if r.Outcome != verify.Differs || !strings.Contains(r.Differs, "profile: cis") {
				t.Errorf("%s %s: %s", r.Step, r.Outcome, r.Differs)
			}
		case r.Outcome != verify.Failed:
			t.Errorf("%s %s", r.Step, r.Outcome)
		case !strings.Contains(r.Failures[0].Next, "profile: cis"):
			t.Errorf("%s: the fix is %s", r.Step, r.Failures[0].Next)
		}
	}
	out, _, _ := khw(c, "status", "--root", c.Root)
	if want := "nothing is audited: " + c.Root + "/var/log/audit.log stays empty without an audit policy"; !strings.Contains(out, want) {
		t.Errorf("status does not say %q:\n%s", want, out)
	}
	if log := strings.Join(c.Process.Lines(), "\n"); strings.Count(log, "Nothing is audited") != 1 {
		t.Errorf("the log does not say that nothing is audited, or does so again:\n%s", log)
	}
	if _, err := os.Stat(c.Lab("audit-policy.yaml")); err == nil {
		t.Error("there is an audit policy that nobody has asked for")
	}
	c.StopInOrder()
}
