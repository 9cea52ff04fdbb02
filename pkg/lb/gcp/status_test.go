// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"slices"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// status is what `khw-controller lb status` shows, whatever stands in the way of a
// plan.
func (l *lab) status() lb.Status {
	l.Helper()
	cloud, err := l.open(hasty())
	if err != nil {
		l.Fatal(err)
	}
	for _, r := range cloud.Resources() {
		if _, err := r.Read(l.Context()); err != nil {
			l.Fatal(err)
		}
	}
	s, err := cloud.Status(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	return s
}

func TestStatus(t *testing.T) {
	for kind, backend := range map[string]string{TargetPool: region + "targetPools/kubernetes-target-pool", BackendService: region + "backendServices/kubernetes-backend-service"} {
		l := newLab(t, kind)
		if s := l.status(); s.Serving() || len(s.Listeners) > 0 || !slices.Equal(s.Addresses, []string{"203.0.113.80"}) {
			t.Errorf("%s, nothing there: %+v", kind, s)
		}
		l.complete()
		l.SetHealth("us-west1-a", "controller-0", "HEALTHY")
		want := []lb.Listener{{Protocol: "TCP", Port: "6443", Target: backend, Serves: true}}
		if s := l.status(); !s.Serving() || !slices.Equal(s.Listeners, want) || s.Where != "gcp, project hard-way, region us-west1" {
			t.Errorf("%s: %+v", kind, s)
		}

		l.AddAddress("us-west1", "spare", "203.0.113.81")
		mine := l.cfg
		l.cfg.Address, l.cfg.ForwardingRule, l.cfg.Port = "spare", "api", 443
		l.complete()
		l.cfg = mine
		want = append(want, lb.Listener{Protocol: "TCP", Port: "443", Target: backend})
		if s := l.status(); !slices.Equal(s.Listeners, want) {
			t.Errorf("%s, with another rule: %+v", kind, s)
		}
	}
}

// TestNobodyIsServed is about what a rule that is there does not say.
func TestNobodyIsServed(t *testing.T) {
	for name, spoil := range map[string]func(l *lab){
		"the rule is of another port":    func(l *lab) { l.Edit(ruleAt, map[string]any{"portRange": "443-443"}) },
		"the rule is at another address": func(l *lab) { l.Edit(ruleAt, map[string]any{"IPAddress": "203.0.113.99"}) },
		"the rule leads elsewhere": func(l *lab) {
			l.Edit(ruleAt, map[string]any{"target": l.Link(region + "targetPools/other")})
		},
		"the rule is gone":   func(l *lab) { l.Remove(ruleAt) },
		"the pool is gone":   func(l *lab) { l.Remove(poolAt) },
		"none is registered": func(l *lab) { l.Edit(poolAt, map[string]any{"instances": nil}) },
		"none is healthy":    func(l *lab) { l.SetHealth("us-west1-a", "controller-0", "UNHEALTHY") },
	} {
		l := newLab(t, TargetPool)
		l.complete()
		l.SetHealth("us-west1-a", "controller-0", "HEALTHY")
		spoil(l)
		if s := l.status(); s.Serving() {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestMachines have a state of their own, which says why they get no traffic.
func TestMachines(t *testing.T) {
	for _, kind := range Types {
		l := newLab(t, kind)
		l.complete()
		l.Edit("zones/us-west1-a/instances/controller-0", map[string]any{"status": "TERMINATED", "lastStopTimestamp": "2026-01-03T00:00:00Z"})
		l.RemoveInstance("us-west1-b", "controller-1")
		s := l.status()
		stopped, missing := s.Targets[0], s.Targets[1]
		if stopped.Machine != "TERMINATED" || stopped.MachineSince == nil || stopped.MachineSince.Day() != 3 || stopped.Reason != "the instance is TERMINATED; start it" || stopped.State == notRegistered {
			t.Errorf("%s, stopped: %+v", kind, stopped)
		}
		if missing.Machine != gone || missing.Reason != "there is no such instance" {
			t.Errorf("%s, gone: %+v", kind, missing)
		}
	}
}

// TestMachinesChange between two questions of one wait.
func TestMachinesChange(t *testing.T) {
	for _, kind := range Types {
		l := newLab(t, kind)
		l.complete()
		cloud, err := l.open(hasty())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{running, "STOPPING", gone} {
			if want == gone {
				l.RemoveInstance("us-west1-a", "controller-0")
			} else {
				l.Edit("zones/us-west1-a/instances/controller-0", map[string]any{"status": want})
			}
			health, err := cloud.Health(t.Context())
			if err != nil || health[0].Machine != want {
				t.Errorf("%s: %v, %v, want %s", kind, err, health, want)
			}
		}
	}
}
