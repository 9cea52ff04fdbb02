// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lb"
	"github.com/khw-controller/khw-controller/test/computeapi"
)

// TestDeletions deletes what is there in different states, and shows what is
// kept and why.
func TestDeletions(t *testing.T) {
	states := map[string]func(l *lab){
		"all there": func(*lab) {},
		"with --create, the address was there before": func(l *lab) { l.cfg.Create = true },
		"with --create, the address is ours": func(l *lab) {
			l.cfg.Create = true
			l.Edit(region+"addresses/kubernetes-the-hard-way", map[string]any{"description": mark})
		},
		"made by hand": func(l *lab) {
			for _, at := range []string{guardAt, poolAt, ruleAt, serveAt, groupAAt, "global/httpHealthChecks/kubernetes", region + "healthChecks/kubernetes"} {
				if l.Resource(at) != nil {
					l.Edit(at, map[string]any{"description": nil})
				}
			}
		},
		"the rule was made by hand": edit(ruleAt, map[string]any{"description": nil}),
		"another uses what is ours": func(l *lab) {
			mine := l.cfg
			l.cfg.TargetPool, l.cfg.BackendService, l.cfg.ForwardingRule, l.cfg.FirewallRule, l.cfg.Port = "other", "other", "other", "other", 443
			l.complete()
			l.cfg = mine
		},
		"a controller is stopped": func(l *lab) {
			l.Edit("zones/us-west1-b/instances/controller-1", map[string]any{"status": "TERMINATED"})
		},
		"the controllers are gone": func(l *lab) {
			for i, zone := range []string{"us-west1-a", "us-west1-b", "us-west1-c"} {
				l.RemoveInstance(zone, l.cfg.Instances[i])
			}
		},
		"ours, changed by hand":            edit(guardAt, map[string]any{"targetTags": []any{"web"}}),
		"somebody else's, as it should be": edit(guardAt, map[string]any{"description": nil}),
		"somebody else's, and different":   edit(guardAt, map[string]any{"description": nil, "targetTags": []any{"web"}}),
		"the rule leads elsewhere": func(l *lab) {
			kind := l.cfg.Type
			l.cfg.Type, l.cfg.Create = other(kind), true
			l.complete()
			l.cfg.Type = kind
		},
		"an unmanaged instance is behind it": func(l *lab) {
			l.AddInstance("us-west1-a", "worker-0", network, "RUNNING")
			if l.cfg.Type == TargetPool {
				l.Edit(poolAt, map[string]any{"instances": append(l.Resource(poolAt)["instances"].([]any), l.Link("zones/us-west1-a/instances/worker-0"))})
			} else {
				l.Members(groupAAt, "zones/us-west1-a/instances/controller-0", "zones/us-west1-a/instances/worker-0")
			}
		},
	}
	for _, kind := range Types {
		t.Run(kind, func(t *testing.T) {
			found := map[string]string{}
			for name, state := range states {
				l := newLab(t, kind)
				l.complete()
				state(l)
				plan := l.deletion()
				said := text(plan)
				l.Forget()
				if err := plan.Apply(t.Context(), func(lb.Step) {}); err != nil {
					said += err.Error() + "\n"
				} else if again := l.deletion(); again.Pending() > 0 {
					t.Errorf("%s: another deletion deletes\n%s", name, text(again))
				}
				found[name] = said + "calls: " + strings.ReplaceAll(strings.Join(l.Changes(), " "), "compute.", "")
			}
			l := newLab(t, kind)
			found["nothing there"] = text(l.deletion())
			equal(t, "deletions-"+kind+".txt", found)
		})
	}
}

func other(kind string) string {
	if kind == TargetPool {
		return BackendService
	}
	return TargetPool
}

// TestDeletedMeanwhile has everything vanish between the plan and its end.
func TestDeletedMeanwhile(t *testing.T) {
	for _, kind := range Types {
		l := newLab(t, kind)
		l.complete()
		plan := l.deletion()
		if err := l.deletion().Apply(t.Context(), func(lb.Step) {}); err != nil {
			t.Fatal(err)
		}
		if err := plan.Apply(t.Context(), func(lb.Step) {}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestDeletionFails has a deletion fail half-way and continue.
func TestDeletionFails(t *testing.T) {
	l := newLab(t, TargetPool)
	l.complete()
	l.Inject(computeapi.Fault{Method: "compute.targetPools.delete", Code: 403, Reason: "forbidden", Message: "Required 'compute.targetPools.delete' permission for 'projects/hard-way/regions/us-west1/targetPools/kubernetes-target-pool'"})
	err := l.deletion().Apply(t.Context(), func(lb.Step) {})
	for _, part := range []string{"compute.targetPools.delete", "--print-iam-policy", "done: forwarding rule kubernetes-forwarding-rule", "not done: target pool kubernetes-target-pool, firewall rule"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v\nwant %q in it", err, part)
		}
	}
	l.Heal()
	if err := l.deletion().Apply(t.Context(), func(lb.Step) {}); err != nil {
		t.Error(err)
	}
	if plan := l.deletion(); plan.Pending() > 0 {
		t.Errorf("left:\n%s", text(plan))
	}
}
