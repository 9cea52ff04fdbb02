// SPDX-License-Identifier: Apache-2.0

// Package lbgcp runs `khw-controller lb --cloud gcp` against a counterpart of
// Compute Engine: from the state in which the lab's chapter 7 leaves a project to
// a load balancer, through every deviation and failure, and back.
package lbgcp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/computeapi"
)

// TestFromNothingAndBack is the whole life of the lab's load balancer.
func TestFromNothingAndBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)

	l.want(l.run("--dry-run"), 3, "project hard-way, region us-west1", "+ target pool", "7 to create")
	l.changes()

	l.healthy()
	l.want(l.run("--wait"), 0, "created forwarding rule kubernetes-forwarding-rule", "controller-2 (us-west1-c) HEALTHY", "https://203.0.113.80:6443")
	l.changes("httpHealthChecks.insert", "firewalls.insert", "targetPools.insert",
		"targetPools.addInstance", "targetPools.addInstance", "targetPools.addInstance", "forwardingRules.insert")
	l.asTheLab()

	l.want(l.run(), 0, "nothing to do")
	l.want(l.run("--dry-run"), 0, "nothing to do")
	l.changes()

	l.Edit("global/firewalls/kubernetes-the-hard-way-allow-health-check", map[string]any{"sourceRanges": []any{"35.191.0.0/16"}})
	l.Edit("global/httpHealthChecks/kubernetes", map[string]any{"requestPath": "/"})
	l.want(l.run("--dry-run"), 3, "path / → /healthz", "source ranges 35.191.0.0/16 → 209.85.152.0/22, 209.85.204.0/22, 35.191.0.0/16", "2 to change")
	l.want(l.run(), 0, "changed firewall rule")
	l.changes("httpHealthChecks.patch", "firewalls.patch")
	l.asTheLab()

	l.want(l.run("--delete"), 2, "--yes")
	l.want(l.run("--delete", "--dry-run"), 3, "7 to delete")
	l.changes()
	l.want(l.run("--delete", "--yes"), 0, "deleted forwarding rule", "only looked up")
	l.changes("forwardingRules.delete", "targetPools.removeInstance", "targetPools.removeInstance", "targetPools.removeInstance",
		"targetPools.delete", "firewalls.delete", "httpHealthChecks.delete")
	if l.Resource(region+"addresses/kubernetes-the-hard-way") == nil {
		t.Error("the address is gone")
	}
	l.want(l.run("--delete", "--yes"), 0, "nothing to do")
	l.changes()
}

// TestBackendServiceTakesOver moves a load balancer from the lab's target pool to
// a backend service in place, and then removes what the lab had.
func TestBackendServiceTakesOver(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.Remove(region + "addresses/kubernetes-the-hard-way")
	l.want(l.run("--create"), 0, "created address kubernetes-the-hard-way")
	l.Forget()

	l.want(l.run("--type", "backend-service"), 0, "changed forwarding rule")
	l.changes("regionHealthChecks.insert", "instanceGroups.insert", "instanceGroups.insert", "instanceGroups.insert",
		"instanceGroups.addInstances", "instanceGroups.addInstances", "instanceGroups.addInstances",
		"regionBackendServices.insert", "forwardingRules.setTarget")
	l.want(l.run("--type", "backend-service"), 0, "nothing to do")

	l.want(l.run("--type", "target-pool", "--delete", "--yes"), 0, "deleted target pool", "it leads to regions/us-west1/backendServices/kubernetes-backend-service")
	if l.Resource("global/firewalls/kubernetes-the-hard-way-allow-health-check") == nil {
		t.Error("the health checks' firewall rule went with the target pool")
	}
	l.healthy()
	l.want(l.run("--type", "backend-service", "--wait"), 0, "nothing to do", "controller-0 (us-west1-a) HEALTHY")
	l.want(l.run("--type", "backend-service", "--create", "--delete", "--yes"), 0, "deleted address")
	l.want(l.run("--type", "backend-service", "--create", "--delete", "--yes"), 0, "nothing to do")
}

// TestFailsHalfWayAndContinues has the service refuse a step in the middle.
func TestFailsHalfWayAndContinues(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.Inject(computeapi.Fault{Method: "compute.targetPools.insert", OperationError: "QUOTA_EXCEEDED", Message: "Quota 'TARGET_POOLS' exceeded. Limit: 0.0 in region us-west1."})
	r := l.run()
	l.want(r, 1, "Quota 'TARGET_POOLS' exceeded", "raise the quota", "done: http health check kubernetes, firewall rule", "the same command continues")
	if n := strings.Count(strings.TrimSpace(r.err), "\n"); n > 1 {
		t.Errorf("it says %d lines on stderr:\n%s", n+1, r.err)
	}
	l.changes("httpHealthChecks.insert", "firewalls.insert", "targetPools.insert")
	l.Heal()

	l.Inject(computeapi.Fault{Method: "compute.targetPools.insert", Times: 1, Code: 429, Reason: "rateLimitExceeded", Message: "Quota exceeded for quota metric 'Queries'"})
	l.want(l.run(), 0, "= firewall rule", "created target pool")
	l.changes("targetPools.insert", "targetPools.insert", "targetPools.addInstance", "targetPools.addInstance", "targetPools.addInstance", "forwardingRules.insert")
	l.want(l.run("--dry-run"), 0, "nothing to do")
}

// TestWaits has one controller fail its health checks, then recover.
func TestWaits(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.healthy()
	l.SetHealth("us-west1-b", "controller-1", "UNHEALTHY")
	l.want(l.run("--wait", "--wait-timeout", "100ms"), 1, "not all controllers are in service", "controller-1 (us-west1-b) UNHEALTHY", "http://controller-1:80/healthz")

	done := make(chan result, 1)
	go func() {
		r, err := l.onADesk(l.Context(), "--wait", "-o", "json")
		if err != nil {
			r.err += err.Error()
		}
		done <- r
	}()
	l.Forget()
	l.Eventually("getHealth to be asked", func(context.Context) error {
		for _, c := range l.Calls() {
			if c.Method == "compute.targetPools.getHealth" {
				return nil
			}
		}
		return errors.New("not yet")
	})
	l.healthy()
	r := <-done
	l.want(r, 0)
	var report struct {
		Address string
		Pending int
		Health  []struct {
			Name      string
			InService bool
		}
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatalf("-o json prints %q: %v", r.out, err)
	}
	if report.Address != "203.0.113.80" || report.Pending != 0 || len(report.Health) != 3 || !report.Health[1].InService {
		t.Errorf("%+v", report)
	}
}

// TestMayNotLook has minutes to wait, and stops at once: asking again does not help.
func TestMayNotLook(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.Inject(computeapi.Fault{Method: "compute.targetPools.getHealth", Code: 403, Reason: "forbidden", Message: "Required 'compute.targetPools.get' permission"})
	l.want(l.run("--wait", "--wait-timeout", "1h"), 1, "created forwarding rule", "not allowed", "--print-iam-policy")
	asked := 0
	for _, c := range l.Calls() {
		if c.Method == "compute.targetPools.getHealth" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("it asked %d times", asked)
	}
}

// TestHangingEndpoint never answers a call: that is said before anyone wonders, and
// the first interrupt ends it. Each line has the seconds that it took, by the
// program's own clock, so that a busy machine makes no difference.
func TestHangingEndpoint(t *testing.T) {
	t.Parallel()
	const maxSilence = 5
	l := newLab(t)
	l.Inject(computeapi.Fault{Method: "compute.addresses.get", Hang: true})
	cmd := exec.CommandContext(l.Context(), l.Binary(), "lb", "--cloud", "gcp", "--project", project, "--region", "us-west1")
	cmd.Env = append(os.Environ(), "CLOUDSDK_CONFIG="+l.Path("gcloud"), "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE="+l.Endpoint)
	stderr, err := cmd.StderrPipe()
	l.Must(err)
	l.Must(cmd.Start())
	lines := bufio.NewReader(stderr)
	said := 0
	for range 2 {
		line, err := lines.ReadString('\n')
		l.Must(err)
		var seconds int
		if n, _ := fmt.Sscanf(line, "... compute.addresses.get, %d s", &seconds); n != 1 || seconds-said > maxSilence {
			t.Errorf("after %d s it says %q", said, line)
		}
		said = seconds
	}
	l.Must(cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(lines)
	l.Must(err)
	if err := cmd.Wait(); err == nil || !strings.Contains(string(rest), "interrupted") {
		t.Errorf("it ends with %v after %s", err, rest)
	}
}

// TestOnAnInstance is told nothing: the metadata service knows the cloud, the
// project and the region.
func TestOnAnInstance(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := map[string]string{
			"/computeMetadata/v1/instance/network-interfaces/0/ip": "10.240.0.10",
			"/computeMetadata/v1/project/project-id":               project,
			"/computeMetadata/v1/instance/zone":                    "projects/42/zones/us-west1-a",
		}
		w.Header().Set("Metadata-Flavor", "Google")
		if r.Header.Get("Metadata-Flavor") != "Google" || known[r.URL.Path] == "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, known[r.URL.Path])
	}))
	defer metadata.Close()
	r, err := l.command(l.Context(), []string{
		"GCE_METADATA_HOST=" + strings.TrimPrefix(metadata.URL, "http://"),
		"AWS_EC2_METADATA_DISABLED=true", "GOOGLE_CLOUD_PROJECT=", "CLOUDSDK_CORE_PROJECT=", "CLOUDSDK_COMPUTE_REGION=",
	}, "--dry-run")
	l.Must(err)
	l.want(r, 3, "project hard-way, region us-west1", "7 to create")
}

// TestWhatItRefuses changes nothing while something is not as it can be.
func TestWhatItRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args  []string
		spoil func(l *lab)
		code  int
		says  string
	}{
		"no address": {nil, func(l *lab) { l.Remove(region + "addresses/kubernetes-the-hard-way") }, 1, "reserve it with --create"},
		"a stopped controller": {nil, func(l *lab) {
			l.Edit("zones/us-west1-b/instances/controller-1", map[string]any{"status": "TERMINATED"})
		}, 1, "us-west1-b (TERMINATED, network kubernetes-the-hard-way)"},
		"two of one name":         {nil, func(l *lab) { l.AddInstance("us-west1-c", "controller-1", network, "RUNNING") }, 1, "us-west1-b (RUNNING, network kubernetes-the-hard-way), us-west1-c"},
		"another region":          {[]string{"--region", "us-east1"}, func(*lab) {}, 1, "correct --region"},
		"a zone":                  {[]string{"--region", "us-west1-a"}, func(*lab) {}, 2, "its region is us-west1"},
		"a bad name":              {[]string{"--target-pool", "my_pool"}, func(*lab) {}, 2, "--target-pool"},
		"a region that is none":   {[]string{"--region", "mars1"}, func(*lab) {}, 1, "gcp has no region mars1; correct --region"},
		"another project":         {[]string{"--project", "soft-way"}, func(*lab) {}, 1, "correct --project"},
		"a type of another cloud": {[]string{"--type", "nlb"}, func(*lab) {}, 2, "--type"},
		"a flag of another cloud": {[]string{"--profile", "me"}, func(*lab) {}, 2, "--profile"},
		"a role too small":        {nil, func(l *lab) { l.Grant("compute.instances.list") }, 1, "Required 'compute.addresses.get' permission"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			test.spoil(l)
			r := l.run(test.args...)
			l.want(r, test.code, test.says)
			if r.out != "" {
				t.Errorf("it prints %q", r.out)
			}
			l.changes()
		})
	}
}

// TestPrintedRoleSuffices runs under the role that --print-iam-policy prints.
func TestPrintedRoleSuffices(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"target-pool", "backend-service"} {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t)
			l.Remove(region + "addresses/kubernetes-the-hard-way")
			l.healthy()
			for _, use := range [][]string{{"--wait"}, {"--delete", "--yes"}} {
				l.Grant(l.role(append(use, "--type", kind, "--create")...)...)
				l.want(l.run(append(use, "--type", kind, "--create")...), 0)
			}
			l.Grant(l.role("--type", kind, "--dry-run")...)
			l.want(l.run("--type", kind, "--dry-run"), 1, "reserve it with --create")
		})
	}
}

// role is what --print-iam-policy prints for these flags.
func (l *lab) role(args ...string) []string {
	l.Helper()
	printed := l.run(append(args, "--print-iam-policy")...)
	l.want(printed, 0)
	var role []string
	for line := range strings.Lines(printed.out) {
		if p, ok := strings.CutPrefix(line, "- "); ok {
			role = append(role, strings.TrimSpace(p))
		}
	}
	return role
}
