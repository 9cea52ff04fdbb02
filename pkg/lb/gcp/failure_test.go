// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lb"
	"github.com/khw-controller/khw-controller/test/computeapi"
)

// failures are what can go wrong with a call, every time that it is made.
var failures = map[string]computeapi.Fault{
	"403":       {Code: 403, Reason: "forbidden", Message: "Required 'compute.things.do' permission for 'projects/hard-way/things/one'"},
	"404":       {Code: 404, Reason: "notFound", Message: "The resource 'projects/hard-way/global/things/one' was not found"},
	"409":       {Code: 409, Reason: "alreadyExists", Message: "The resource 'projects/hard-way/global/things/one' already exists"},
	"429":       {Code: 429, Reason: "rateLimitExceeded", Message: "Quota exceeded for quota metric 'Queries'"},
	"500":       {Code: 500, Reason: "backendError", Message: "Internal error"},
	"time-out":  {Hang: true},
	"operation": {OperationError: "QUOTA_EXCEEDED", Message: "Quota 'FORWARDING_RULES' exceeded. Limit: 0.0 in region us-west1."},
}

// TestFailures has every call that a run from nothing makes fail in every way,
// wants one line about it, and then another run to complete what was left.
func TestFailures(t *testing.T) {
	for _, kind := range Types {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t, kind)
			l.cfg.Create = true
			l.Remove(region + "addresses/kubernetes-the-hard-way")
			l.complete()
			methods := map[string]bool{}
			for _, c := range l.Calls() {
				methods[c.Method] = true
			}
			var mu sync.Mutex
			found := map[string]string{}
			t.Run("calls", func(t *testing.T) {
				for method := range methods {
					for name, fault := range failures {
						if name == "operation" && (strings.HasSuffix(strings.ToLower(method), "list") || strings.HasSuffix(method, ".get") || strings.HasSuffix(method, ".listInstances")) {
							continue
						}
						t.Run(method+" "+name, func(t *testing.T) {
							t.Parallel()
							fault.Method = method
							said := failed(t, kind, fault)
							mu.Lock()
							defer mu.Unlock()
							found[strings.TrimPrefix(method, "compute.")+" "+name] = said
						})
					}
				}
			})
			if len(found) < 5*len(methods) {
				return // a part was run with -run
			}
			equal(t, "failures-"+kind+".txt", found)
		})
	}
}

// failed returns what a run from nothing says of a fault, or "" if it succeeds.
func failed(t *testing.T, kind string, fault computeapi.Fault) string {
	l := newLab(t, kind)
	l.cfg.Create = true
	l.Remove(region + "addresses/kubernetes-the-hard-way")
	l.Inject(fault)
	p := hasty()
	if fault.Hang {
		p.request = 400 * time.Millisecond
		p.retry.Steps = 2
	}
	if fault.Code == 409 {
		p.patience = 500 * time.Millisecond // of waiting for what nobody makes
	}
	said := ""
	if err := l.converge(p); err != nil {
		said = err.Error()
	}
	if lines := strings.Split(said, "\n"); len(lines) > 2 || len(lines) == 2 && !strings.Contains(lines[1], "the same command continues here") {
		t.Errorf("it says more than a line:\n%s", said)
	}
	l.Heal()
	l.Settle()
	l.complete()
	l.converged()
	return strings.ReplaceAll(said, strings.TrimSuffix(strings.TrimPrefix(l.Endpoint, "http://"), "/compute/v1/"), "HOST")
}

// TestFailuresThatPass has each call fail once in a way that another attempt, or
// the same one asked for again, makes good.
func TestFailuresThatPass(t *testing.T) {
	passing := map[string]computeapi.Fault{
		"429":         failures["429"],
		"403, a rate": {Code: 403, Reason: "rateLimitExceeded", Message: "Rate Limit Exceeded"},
		"503":         {Code: 503, Reason: "backendError", Message: "try again"},
		"lost":        {Lost: true},
	}
	for _, kind := range Types {
		for name, fault := range passing {
			t.Run(kind+" "+name, func(t *testing.T) {
				l := newLab(t, kind)
				l.complete()
				methods := map[string]int{}
				for _, c := range l.Calls() {
					methods[c.Method]++
				}
				l = newLab(t, kind)
				for _, method := range slices.Sorted(maps.Keys(methods)) {
					fault.Method, fault.Times = method, 1
					l.Inject(fault)
				}
				l.complete()
				if calls := len(l.Calls()); calls < len(methods)*2 {
					t.Errorf("%d calls of %d methods, each of which failed once", calls, len(methods))
				}
				l.converged()
			})
		}
	}
}

// TestFingerprintConflictIsReadAnew has somebody else be faster, twice or always.
func TestFingerprintConflictIsReadAnew(t *testing.T) {
	conflict := computeapi.Fault{Method: "compute.regionBackendServices.patch", Code: 412, Reason: "conditionNotMet", Message: "Invalid fingerprint."}
	const always = 0
	for times, ok := range map[int]bool{2: true, always: false} {
		l := newLab(t, BackendService)
		l.complete()
		l.Edit(serveAt, map[string]any{"backends": nil})
		conflict.Times = times
		l.Inject(conflict)
		p := hasty()
		p.patience = 500 * time.Millisecond
		if err := l.converge(p); (err == nil) != ok {
			t.Errorf("%d conflicts: %v", times, err)
		}
	}
}

func TestOperationThatNeverEnds(t *testing.T) {
	l := newLab(t, TargetPool)
	l.Inject(computeapi.Fault{Method: "compute.firewalls.insert", Stuck: true})
	p := hasty()
	p.patience = 10 * time.Millisecond
	err := l.converge(p)
	if err == nil || !strings.Contains(err.Error(), "is still RUNNING after 10ms; another run continues") {
		t.Errorf("%v", err)
	}
}

// TestSomebodyElseMakesIt has another hand make a rule between plan and apply.
func TestSomebodyElseMakesIt(t *testing.T) {
	for network, want := range map[string]string{network: "", "other": "network other → kubernetes-the-hard-way cannot be changed"} {
		l := newLab(t, TargetPool)
		l.AddNetwork("other")
		plan, err := l.plan(hasty())
		if err != nil {
			t.Fatal(err)
		}
		mine := l.cfg
		l.cfg.Network, l.cfg.Instances = network, nil
		cloud, err := l.open(hasty())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range cloud.Resources() {
			if r.Kind() == "firewall rule" {
				if err := r.(lb.Creator).Create(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		l.cfg = mine
		err = plan.Apply(t.Context(), func(lb.Step) {})
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("on network %s: %v", network, err)
		}
	}
}

// TestTwoRunsAtOnce make it from nothing at the same time, and then delete it. Each
// waits for what the other has begun, and both end well.
func TestTwoRunsAtOnce(t *testing.T) {
	for _, kind := range Types {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t, kind)
			l.cfg.Create = true
			l.Remove(region + "addresses/kubernetes-the-hard-way")
			l.twice(lb.NewPlan)
			l.converged()
			l.twice(lb.NewDeletion)
			if left := l.deletion(); left.Pending() > 0 {
				t.Errorf("left:\n%s", text(left))
			}
		})
	}
}

// twice plans two times, and then carries both plans out at the same time.
func (l *lab) twice(planned func(context.Context, lb.Cloud) (*lb.Plan, error)) {
	l.Helper()
	var plans []*lb.Plan
	for range 2 {
		cloud, err := l.open(hasty())
		if err != nil {
			l.Fatal(err)
		}
		plan, err := planned(l.Context(), cloud)
		if err != nil {
			l.Fatal(err)
		}
		plans = append(plans, plan)
	}
	var both sync.WaitGroup
	for _, plan := range plans {
		both.Go(func() {
			if err := plan.Apply(l.Context(), func(lb.Step) {}); err != nil {
				l.Error(err)
			}
		})
	}
	both.Wait()
}

// TestTellsWhatItWaitsFor: each call, each further attempt, and each operation.
func TestTellsWhatItWaitsFor(t *testing.T) {
	l := newLab(t, TargetPool)
	throttled := failures["429"]
	throttled.Method, throttled.Times = "compute.firewalls.insert", 1
	l.Inject(throttled)
	told := map[string]bool{}
	l.cfg.Doing = func(what string) { told[what] = true }
	l.complete()
	for _, want := range []string{
		"compute.targetPools.get", "compute.firewalls.insert", "compute.firewalls.insert, attempt 2",
		"compute.globalOperations.get, insert of kubernetes-the-hard-way-allow-health-check",
	} {
		if !told[want] {
			t.Errorf("%q was not told, only %v", want, slices.Sorted(maps.Keys(told)))
		}
	}
}

// TestWaitsForWhatSomebodyElseBegan, and says so when that takes too long.
func TestWaitsForWhatSomebodyElseBegan(t *testing.T) {
	l := newLab(t, TargetPool)
	l.complete()
	l.start("DELETE", ruleAt, "")
	if err := l.converge(hasty()); err != nil {
		t.Fatal(err)
	}
	if l.Resource(ruleAt) == nil {
		t.Error("there was nothing to do for it while the rule was being deleted")
	}
	l.Inject(computeapi.Fault{Method: "compute.forwardingRules.delete", Stuck: true})
	l.start("DELETE", ruleAt, "")
	p := hasty()
	p.patience = 10 * time.Millisecond
	if _, err := l.plan(p); err == nil || !strings.Contains(err.Error(), "(delete of kubernetes-forwarding-rule) is still RUNNING") {
		t.Errorf("%v", err)
	}
}
