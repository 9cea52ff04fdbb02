// SPDX-License-Identifier: Apache-2.0

// Package lbgcp runs `khw-controller lb --cloud gcp` against a counterpart of
// Compute Engine: from the state in which the lab's chapter 7 leaves a project to
// a load balancer, through every deviation and failure, and back.
package lbgcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/computeapi"
)

// TestFromNothingAndBack is the whole life of the lab's load balancer.
func TestFromNothingAndBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)

	l.want(l.run("--dry-run"), 2, "project hard-way, region us-west1", "+ target pool", "7 to create")
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
	l.want(l.run("--dry-run"), 2, "path / → /healthz", "source ranges 35.191.0.0/16 → 209.85.152.0/22, 209.85.204.0/22, 35.191.0.0/16", "2 to change")
	l.want(l.run(), 0, "changed firewall rule")
	l.changes("httpHealthChecks.patch", "firewalls.patch")
	l.asTheLab()

	l.want(l.run("--delete"), 2, "--yes")
	l.want(l.run("--delete", "--dry-run"), 2, "7 to delete")
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
	l.want(r, 2, "project hard-way, region us-west1", "7 to create")
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
		"a region that is none":   {[]string{"--region", "mars1"}, func(*lab) {}, 1, "Unknown region"},
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
			printed := l.run("--type", kind, "--create", "--delete", "--print-iam-policy")
			l.want(printed, 0)
			var role []string
			for line := range strings.Lines(printed.out) {
				if p, ok := strings.CutPrefix(line, "- "); ok {
					role = append(role, strings.TrimSpace(p))
				}
			}
			l.Grant(role...)
			l.want(l.run("--type", kind, "--create", "--wait"), 0)
			l.want(l.run("--type", kind, "--create", "--delete", "--yes"), 0)
		})
	}
}
