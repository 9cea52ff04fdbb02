// SPDX-License-Identifier: Apache-2.0

// Package verify goes through the lab's verification, step by step, and
// evaluates it: what the lab's reader compares with the lab's output by eye. It takes where
// everything is, and returns one Result a step; what it makes for a step it
// removes with the step.
package verify

import (
	"context"
	"time"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// Target says where everything is: every value resolved, nothing left to look up.
type Target struct {
	// Kubeconfig is the admin's.
	Kubeconfig string
	// CA is the lab's ca.pem.
	CA string
	// UnitFiles lists unit files and their states; nil where no service manager
	// runs this control plane.
	UnitFiles func(ctx context.Context, units []string) (string, error)
	// HealthAddress is where health checks are answered, host:port; "" nowhere.
	HealthAddress string
	// Ports are the components' ports, by componentstatuses' name for them.
	Ports map[string]int
	// KubeletClientCertificate is with what the apiserver goes to kubelets.
	KubeletClientCertificate string
	// Etcd is how the apiserver reaches etcd.
	Etcd etcdclient.Config
	// EmbeddedEtcd is that endpoint of Etcd which is a member in the control plane's
	// own process; "" for none.
	EmbeddedEtcd string
	// EtcdPrefix is where the apiserver keeps its objects in etcd: /registry.
	EtcdPrefix string
	// EncryptionConfig is the apiserver's; "" for none.
	EncryptionConfig string
	// PID is the process that runs this control plane, or 0.
	PID int
	// NoAnonymous is the setting for which the apiserver refuses who asks for
	// /version without credentials, as the lab does; "" where it does not refuse.
	NoAnonymous string
	// LoadBalancer is the load balancer's address, host:port; "" for none.
	LoadBalancer string
}

// Outcome is how a step ended.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped" // there is nothing to verify
	Differs Outcome = "differs" // the lab's own value is another one, for a reason; of items of a benchmark only
)

// Failure is one thing that is not as it should be, and what to do about it.
type Failure struct {
	// Problem says what is wrong.
	Problem string `json:"problem"`
	// Next is the next thing to do about it.
	Next string `json:"next"`
}

// Result is what became of one step.
type Result struct {
	// Step names the step.
	Step string `json:"step"`
	// Outcome is how it ended.
	Outcome Outcome `json:"outcome"`
	// Output is what was seen, in the lines of the lab's output where the lab
	// shows one.
	Output []string `json:"output"`
	// Skipped says why there is nothing to verify.
	Skipped string `json:"skipped,omitempty"`
	// Differs says why the lab's own value is another one.
	Differs string `json:"differs,omitempty"`
	// Failures are what is wrong; none unless the outcome is Failed.
	Failures []Failure `json:"findings"`
	// Seconds is how long the step took.
	Seconds float64 `json:"seconds"`
}

// timeout is how long a step may take.
const timeout = 8 * time.Second

// checkResult is what the check of one step has found.
type checkResult struct {
	output   []string
	failures []Failure
	skipped  string
}

func (r *checkResult) fail(problem, next string) {
	r.failures = append(r.failures, Failure{problem, next})
}

// result is f and nothing else.
func (f *Failure) result() checkResult { return checkResult{failures: []Failure{*f}} }

// failed is the result of one problem and nothing else.
func failed(problem, next string) checkResult { return (&Failure{problem, next}).result() }

// steps are the lab's, in its order; it has etcd's and the encryption's in its
// chapters 07 and 13.
var steps = []struct {
	name  string
	check func(context.Context, Target) checkResult
}{
	{"units", checkUnits},
	{"componentstatuses", checkComponents},
	{"health proxy", checkHealth},
	{"kubelet RBAC", checkRBAC},
	{"etcd members", checkEtcd},
	{"encryption at rest", checkEncryption},
	{"version", checkVersion},
}

// Run goes through all steps at once, hands each Result to told in the lab's
// order as soon as it is there, and returns all of them. When ctx ends, steps end
// early, but not before they have removed what they made.
func Run(ctx context.Context, t Target, told func(Result)) []Result {
	pending := make([]chan Result, len(steps))
	for i, s := range steps {
		pending[i] = make(chan Result, 1)
		go func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			begun := time.Now()
			r := s.check(ctx, t)
			pending[i] <- r.result(s.name, time.Since(begun))
		}()
	}
	var results []Result
	for _, p := range pending {
		r := <-p
		told(r)
		results = append(results, r)
	}
	return results
}

func (r checkResult) result(step string, took time.Duration) Result {
	result := Result{
		Step: step, Outcome: Passed, Skipped: r.skipped, Seconds: took.Seconds(),
		Output: append([]string{}, r.output...), Failures: append([]Failure{}, r.failures...), // never null in JSON
	}
	switch {
	case len(r.failures) > 0:
		result.Outcome = Failed
	case r.skipped != "":
		result.Outcome = Skipped
	}
	return result
}

// Count returns how many results have an outcome.
func Count(results []Result, o Outcome) int {
	n := 0
	for _, r := range results {
		if r.Outcome == o {
			n++
		}
	}
	return n
}
