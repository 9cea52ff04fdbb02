// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// deviation is one thing that is not as it should be in a complete load balancer,
// or around it.
type deviation struct {
	name  string
	make  func(l *lab)
	types []string // none: both
}

const (
	region   = "regions/us-west1/"
	ruleAt   = region + "forwardingRules/kubernetes-forwarding-rule"
	poolAt   = region + "targetPools/kubernetes-target-pool"
	guardAt  = "global/firewalls/kubernetes-the-hard-way-allow-health-check"
	serveAt  = region + "backendServices/kubernetes-backend-service"
	groupAAt = "zones/us-west1-a/instanceGroups/kubernetes-controllers"
)

func edit(path string, fields map[string]any) func(l *lab) {
	return func(l *lab) { l.Edit(path, fields) }
}

func deviations() []deviation {
	pool, service := []string{TargetPool}, []string{BackendService}
	return []deviation{
		{"all there", func(*lab) {}, nil},
		{"with --create, all there", func(l *lab) { l.cfg.Create = true }, nil},

		{"the address is not reserved", func(l *lab) { l.Remove(region + "addresses/kubernetes-the-hard-way") }, nil},
		{"the address is of the standard tier", func(l *lab) {
			l.Edit(region+"addresses/kubernetes-the-hard-way", map[string]any{"networkTier": "STANDARD"})
			l.Remove(ruleAt)
		}, nil},
		{"the address is internal", edit(region+"addresses/kubernetes-the-hard-way", map[string]any{"addressType": "INTERNAL"}), nil},
		{"another address is wanted, and the rule is ours", func(l *lab) {
			l.AddAddress("us-west1", "spare", "203.0.113.81")
			l.cfg.Address = "spare"
		}, nil},
		{"another address is wanted, and the rule is somebody else's", func(l *lab) {
			l.AddAddress("us-west1", "spare", "203.0.113.81")
			l.cfg.Address = "spare"
			l.Edit(ruleAt, map[string]any{"description": nil})
		}, nil},
		{"the region is another", func(l *lab) { l.cfg.Region = "us-east1" }, nil},

		{"somebody else changes it all at the moment", func(l *lab) {
			l.start("PATCH", guardAt, `{"disabled":true}`)
			l.start("DELETE", ruleAt, "")
			if l.cfg.Type == BackendService {
				l.start("POST", "zones/us-west1-b/instanceGroups/kubernetes-controllers/removeInstances", `{"instances":[{"instance":"zones/us-west1-b/instances/controller-1"}]}`)
			}
		}, nil},
		{"the firewall rule is gone", func(l *lab) { l.Remove(guardAt) }, nil},
		{"the firewall rule lacks a range", edit(guardAt, map[string]any{"sourceRanges": []any{"35.191.0.0/16"}}), nil},
		{"the firewall rule allows one port", edit(guardAt, map[string]any{"allowed": []any{map[string]any{"IPProtocol": "tcp", "ports": []any{"443"}}}}), nil},
		{"the firewall rule is for tagged instances", edit(guardAt, map[string]any{"targetTags": []any{"web"}}), nil},
		{"the firewall rule lets a tag in", edit(guardAt, map[string]any{"sourceTags": []any{"web"}}), nil},
		{"the firewall rule is off", edit(guardAt, map[string]any{"disabled": true}), nil},
		{"the firewall rule is on another network", func(l *lab) {
			l.AddNetwork("other")
			l.Edit(guardAt, map[string]any{"network": l.Link("global/networks/other")})
		}, nil},
		{"the firewall rule is for what goes out", edit(guardAt, map[string]any{"direction": "EGRESS"}), nil},
		{"the firewall rule denies", edit(guardAt, map[string]any{"allowed": nil, "denied": []any{map[string]any{"IPProtocol": "tcp"}}}), nil},

		{"the forwarding rule is gone", func(l *lab) { l.Remove(ruleAt) }, nil},
		{"the port is another, and the rule is ours", func(l *lab) { l.cfg.Port = 443 }, nil},
		{"the port is another, and the rule is somebody else's", func(l *lab) {
			l.cfg.Port = 443
			l.Edit(ruleAt, map[string]any{"description": "by hand"})
		}, nil},
		{"the rule has a range of ports", edit(ruleAt, map[string]any{"portRange": "6000-7000"}), nil},
		{"the rule has all ports", edit(ruleAt, map[string]any{"portRange": nil, "allPorts": true}), nil},
		{"the rule has its port in a list", edit(ruleAt, map[string]any{"portRange": nil, "ports": []any{"6443"}}), []string{BackendService}},
		{"the rule's protocol is another", edit(ruleAt, map[string]any{"IPProtocol": "UDP"}), nil},

		{"a controller is stopped", edit("zones/us-west1-b/instances/controller-1", map[string]any{"status": "TERMINATED"}), nil},
		{"a controller is gone", func(l *lab) { l.RemoveInstance("us-west1-b", "controller-1") }, nil},
		{"a controller is there twice", func(l *lab) { l.AddInstance("us-west1-c", "controller-1", network, "RUNNING") }, nil},
		{"a controller's namesake is stopped", func(l *lab) { l.AddInstance("us-west1-c", "controller-1", network, "TERMINATED") }, nil},
		{"a controller's namesake is in another region", func(l *lab) { l.AddInstance("us-east1-b", "controller-1", network, "RUNNING") }, nil},
		{"a controller is on another network", func(l *lab) {
			l.AddNetwork("other")
			l.RemoveInstance("us-west1-b", "controller-1")
			l.AddInstance("us-west1-b", "controller-1", "other", "RUNNING")
		}, nil},
		{"a controller was made anew in another zone", func(l *lab) {
			l.RemoveInstance("us-west1-b", "controller-1")
			l.AddInstance("us-west1-a", "controller-1", network, "RUNNING")
		}, nil},
		{"there are only two controllers", func(l *lab) { l.cfg.Instances = l.cfg.Instances[:2] }, nil},

		{"the health check is gone", func(l *lab) {
			l.Edit(poolAt, map[string]any{"healthChecks": nil})
			l.Remove("global/httpHealthChecks/kubernetes")
		}, pool},
		{"the firewall rule's priority is another", edit(guardAt, map[string]any{"priority": 2000}), nil},
		{"another firewall rule lets more in", func(l *lab) {
			l.AddFirewall("web", map[string]any{"network": l.Link("global/networks/" + network), "sourceRanges": []any{"0.0.0.0/0"}, "allowed": []any{map[string]any{"IPProtocol": "tcp", "ports": []any{"80-81"}}}})
		}, nil},
		{"another firewall rule denies", func(l *lab) {
			l.AddFirewall("lockdown", map[string]any{"network": l.Link("global/networks/" + network), "priority": 900, "sourceRanges": []any{"0.0.0.0/0"}, "denied": []any{map[string]any{"IPProtocol": "all"}}})
		}, nil},
		{"another firewall rule of the same priority denies", func(l *lab) {
			l.AddFirewall("lockdown", map[string]any{"network": l.Link("global/networks/" + network), "sourceRanges": []any{"35.0.0.0/8"}, "denied": []any{map[string]any{"IPProtocol": "tcp", "ports": []any{"1-1023"}}}})
		}, nil},
		{"another firewall rule denies some instances", func(l *lab) {
			l.AddFirewall("lockdown", map[string]any{"network": l.Link("global/networks/" + network), "priority": 900, "targetTags": []any{"web"}, "sourceRanges": []any{"0.0.0.0/0"}, "denied": []any{map[string]any{"IPProtocol": "all"}}})
		}, nil},
		{"another firewall rule denies, and counts less", func(l *lab) {
			l.AddFirewall("lockdown", map[string]any{"network": l.Link("global/networks/" + network), "priority": 1001, "sourceRanges": []any{"0.0.0.0/0"}, "denied": []any{map[string]any{"IPProtocol": "all"}}})
		}, nil},
		{"no firewall rule lets clients in", func(l *lab) { l.Remove("global/firewalls/kubernetes-the-hard-way-allow-external") }, nil},
		{"another port is wanted", func(l *lab) { l.cfg.Port = 443 }, nil},
		{"another rule has the address and port", func(l *lab) {
			l.Rename(ruleAt, region+"forwardingRules/api")
		}, nil},
		{"another rule leads there too", func(l *lab) {
			l.AddAddress("us-west1", "spare", "203.0.113.81")
			mine := l.cfg
			l.cfg.Address, l.cfg.ForwardingRule = "spare", "api"
			l.complete()
			l.cfg = mine
		}, nil},

		{"the health check asks for another path", edit("global/httpHealthChecks/kubernetes", map[string]any{"requestPath": "/"}), pool},
		{"the health check asks for another host", edit("global/httpHealthChecks/kubernetes", map[string]any{"host": "example.com"}), pool},
		{"the health check asks another port", edit("global/httpHealthChecks/kubernetes", map[string]any{"port": 8080}), pool},
		{"the health check is the lab's", edit("global/httpHealthChecks/kubernetes", map[string]any{"description": "Kubernetes Health Check"}), pool},
		{"the health check asks at other times", edit("global/httpHealthChecks/kubernetes", map[string]any{"checkIntervalSec": 30, "timeoutSec": 10, "healthyThreshold": 3, "unhealthyThreshold": 4}), pool},
		{"the target pool's affinity is another", edit(poolAt, map[string]any{"sessionAffinity": "CLIENT_IP"}), pool},
		{"a controller was made anew in another zone, and --prune", func(l *lab) {
			l.RemoveInstance("us-west1-b", "controller-1")
			l.AddInstance("us-west1-a", "controller-1", network, "RUNNING")
			l.cfg.Prune = true
		}, pool},
		{"the target pool has a stopped instance", func(l *lab) {
			l.AddInstance("us-west1-a", "worker-0", network, "TERMINATED")
			l.Edit(poolAt, map[string]any{"instances": append(l.Resource(poolAt)["instances"].([]any), l.Link("zones/us-west1-a/instances/worker-0"))})
		}, pool},
		{"the target pool has no health check", edit(poolAt, map[string]any{"healthChecks": nil}), pool},
		{"the target pool has another health check", func(l *lab) {
			l.other("httpHealthChecks")
			l.Edit(poolAt, map[string]any{"healthChecks": []any{l.Link("global/httpHealthChecks/other")}})
		}, pool},
		{"the target pool lacks a controller", func(l *lab) {
			l.Edit(poolAt, map[string]any{"instances": []any{l.Link("zones/us-west1-a/instances/controller-0"), l.Link("zones/us-west1-c/instances/controller-2")}})
		}, pool},
		{"the target pool is empty", edit(poolAt, map[string]any{"instances": nil}), pool},
		{"the target pool has an unmanaged member", func(l *lab) {
			l.AddInstance("us-west1-a", "worker-0", network, "RUNNING")
			l.Edit(poolAt, map[string]any{"instances": append(l.Resource(poolAt)["instances"].([]any), l.Link("zones/us-west1-a/instances/worker-0"))})
		}, pool},
		{"the rule leads to another pool", edit(ruleAt, map[string]any{"target": "https://www.googleapis.com/compute/v1/projects/hard-way/" + region + "targetPools/other"}), pool},

		{"the health check asks for another path", edit(region+"healthChecks/kubernetes", map[string]any{"httpHealthCheck": map[string]any{"requestPath": "/"}}), service},
		{"the health check asks another port", edit(region+"healthChecks/kubernetes", map[string]any{"httpHealthCheck": map[string]any{"port": 8080}}), service},
		{"the health check is of another type", edit(region+"healthChecks/kubernetes", map[string]any{"type": "TCP", "httpHealthCheck": nil, "tcpHealthCheck": map[string]any{"port": 80}}), service},
		{"a group is gone", func(l *lab) {
			l.Edit(serveAt, map[string]any{"backends": nil})
			l.Remove(groupAAt)
			l.Members(groupAAt)
		}, service},
		{"a group is empty", func(l *lab) { l.Members(groupAAt) }, service},
		{"a group has an unmanaged member", func(l *lab) {
			l.AddInstance("us-west1-a", "worker-0", network, "RUNNING")
			l.Members(groupAAt, "zones/us-west1-a/instances/controller-0", "zones/us-west1-a/instances/worker-0")
		}, service},
		{"the backend service has no backends", edit(serveAt, map[string]any{"backends": nil}), service},
		{"the backend service has another backend", func(l *lab) {
			backends := l.Resource(serveAt)["backends"].([]any)
			l.Edit(serveAt, map[string]any{"backends": append(backends, map[string]any{"group": l.Link("zones/us-west1-a/instanceGroups/web"), "balancingMode": "CONNECTION"})})
		}, service},
		{"the backend service's protocol is another", edit(serveAt, map[string]any{"protocol": "UDP"}), service},
		{"the health check asks at other times", edit(region+"healthChecks/kubernetes", map[string]any{"checkIntervalSec": 30, "timeoutSec": 10, "healthyThreshold": 3, "unhealthyThreshold": 4}), service},
		{"the backend service's affinity is another", edit(serveAt, map[string]any{"sessionAffinity": "CLIENT_IP"}), service},
		{"the backend service drains less", edit(serveAt, map[string]any{"connectionDraining": map[string]any{"drainingTimeoutSec": 300}}), service},
		{"the backend service drains, and that is to be left", func(l *lab) { l.cfg.Draining = 0 }, service},
		{"the backend service drains more", func(l *lab) { l.cfg.Draining = time.Minute }, service},
		{"the backend service is internal", edit(serveAt, map[string]any{"loadBalancingScheme": "INTERNAL"}), service},
		{"the rule leads to the lab's target pool", func(l *lab) {
			l.cfg.Type = TargetPool
			l.complete()
			l.cfg.Type = BackendService
		}, service},
	}
}

// other makes a health check of the lab's kind of another name.
func (l *lab) other(string) {
	cfg := l.cfg
	l.cfg.HealthCheck, l.cfg.TargetPool, l.cfg.ForwardingRule, l.cfg.Port = "other", "other", "other", 443
	l.complete()
	l.cfg = cfg
}

// TestPlans plans from nothing, from everything and from every deviation, and
// applies what can be: then nothing is left to do.
func TestPlans(t *testing.T) {
	for _, kind := range Types {
		t.Run(kind, func(t *testing.T) {
			found := map[string]string{}
			l := newLab(t, kind)
			found["nothing there"] = outcome(l)
			l = newLab(t, kind)
			l.Remove(region + "addresses/kubernetes-the-hard-way")
			l.cfg.Create = true
			found["with --create, nothing there"] = outcome(l)
			for _, d := range deviations() {
				if len(d.types) > 0 && d.types[0] != kind {
					continue
				}
				l := newLab(t, kind)
				l.complete()
				d.make(l)
				found[d.name] = outcome(l)
			}
			equal(t, "plans-"+kind+".txt", found)
		})
	}
}

// outcome is the plan and the calls that carry it out, or the reason for none.
func outcome(l *lab) string {
	plan, err := l.plan(hasty())
	if err != nil {
		return err.Error()
	}
	said := text(plan)
	l.Forget()
	if err := plan.Apply(l.Context(), func(lb.Step) {}); err != nil {
		return said + err.Error()
	}
	calls := l.Changes()
	l.converged()
	if len(calls) == 0 {
		return said
	}
	return said + "calls: " + strings.ReplaceAll(strings.Join(calls, " "), "compute.", "")
}

// TestCommands prints what each plan would do. That gcloud takes the lines and does
// the same is for test/e2e/lbgcp.
func TestCommands(t *testing.T) {
	for _, kind := range Types {
		found := map[string]string{}
		for _, d := range append(deviations(), deviation{name: "nothing there"}) {
			if len(d.types) > 0 && d.types[0] != kind {
				continue
			}
			l := newLab(t, kind)
			if d.make != nil {
				l.complete()
				d.make(l)
			}
			if plan, err := l.plan(hasty()); err == nil && plan.Pending() > 0 {
				found[d.name] = commands(t, plan)
			}
		}
		l := newLab(t, kind)
		l.cfg.Create = true
		l.Remove(region + "addresses/kubernetes-the-hard-way")
		l.complete()
		found["a deletion"] = commands(t, l.deletion())
		equal(t, "commands-"+kind+".txt", found)
	}
}

func commands(t *testing.T, plan *lb.Plan) string {
	t.Helper()
	var b strings.Builder
	if err := plan.WriteCommands(&b); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), "\n\n", "\n")
}

// TestPages has the answers to the lists come one item at a time.
func TestPages(t *testing.T) {
	for _, kind := range Types {
		l := newLab(t, kind)
		l.PageSize = 1
		l.complete()
		l.converged()
	}
}
