// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// failures are the ways in which a call can fail, with the words that tell them
// and their fix, and whether another attempt is made.
var failures = map[string]struct {
	err   error
	says  string
	again bool
}{
	"403":                {refused(403, "AccessDenied"), "is not allowed: the fake account says AccessDenied (AccessDenied); khw-controller lb --cloud aws --print-iam-policy", false},
	"403 alone":          {refused(403, "UnknownError"), "is not allowed: ", false},
	"403, not logged in": {refused(403, "ExpiredToken"), "the credentials have expired", false},
	"404":                {refused(404, "InvalidVpcID.NotFound"), ": the fake account says InvalidVpcID.NotFound (InvalidVpcID.NotFound)", false},
	"409":                {refused(409, "IncorrectState"), ": the fake account says IncorrectState (IncorrectState)", false},
	"429":                {refused(429, "Throttling"), "is throttled by AWS: the fake account says Throttling (Throttling) after 3 attempts; try again", true},
	"500":                {refused(500, "InternalFailure"), "failed inside AWS: the fake account says InternalFailure (InternalFailure) after 3 attempts; try again", true},
	"unreachable":        {unsent(errors.New("dial tcp: connection refused")), "does not reach AWS: dial tcp: connection refused after 3 attempts; check the network", true},
	"no such region":     {unsent(&net.DNSError{Name: "ec2.us-esat-1.amazonaws.com", IsNotFound: true}), "does not reach AWS: there is no host ec2.us-esat-1.amazonaws.com; check --region", false},
	"time-out":           {unsent(context.DeadlineExceeded), "had no answer in time after 3 attempts; check the network", true},
}

// converge plans, or plans to delete, and applies.
func converge(t *testing.T, cloud *Cloud, deletion bool) error {
	t.Helper()
	plan, err := newPlan(t, cloud, deletion)
	if err != nil {
		return err
	}
	return plan.Apply(t.Context(), func(lb.Step) {})
}

func newPlan(t *testing.T, cloud *Cloud, deletion bool) (*lb.Plan, error) {
	if deletion {
		return lb.NewDeletion(t.Context(), cloud)
	}
	return lb.NewPlan(t.Context(), cloud)
}

// TestEachFailureAtEachStep fails each call of making and of deleting each kind,
// whenever it is made from then on, in each way. What is said has two lines at most, names the
// call and the fix, nothing was changed while it was still read, and the same
// command continues once all is well.
func TestEachFailureAtEachStep(t *testing.T) {
	for _, kind := range kinds {
		config := configOf(kind.config)
		for _, deletion := range []bool{false, true} {
			before := func() *fake {
				f := kind.account()
				if deletion {
					f.apply(t, config)
				}
				f.calls = nil
				return f
			}
			whole := before()
			if err := converge(t, whole.cloud(config), deletion); err != nil {
				t.Fatal(err)
			}
			for i, call := range whole.calls {
				_, operation, _ := strings.Cut(call, ":")
				for name, failure := range failures {
					if name == "404" && removes(operation) {
						continue // It is gone, which is what was wanted.
					}
					t.Run(fmt.Sprintf("%s/%t/%d %s/%s", kind.name, deletion, i, call, name), func(t *testing.T) {
						f := before()
						f.fail = func(c string) error {
							if len(f.calls) > i && c == call {
								return failure.err
							}
							return nil
						}
						if name == "404" {
							f.patience = 10 * time.Millisecond // It may not be seen yet.
						}
						err := converge(t, f.cloud(config), deletion)
						check(t, err, call, failure.says)
						reading := !slices.ContainsFunc(whole.calls[:i+1], func(c string) bool { return len(changing([]string{c})) > 0 })
						if did := changing(f.calls); reading && len(did) > 0 {
							t.Errorf("it did %v after it could not read", did)
						}
						f.fail, f.calls, f.patience = nil, nil, 0
						if err := converge(t, f.cloud(config), deletion); err != nil {
							t.Fatalf("it does not continue: %v", err)
						}
						plan, err := newPlan(t, f.cloud(config), deletion)
						if err != nil || plan.Pending() > 0 {
							t.Errorf("after it continued: %v, %+v", err, plan)
						}
					})
				}
			}
		}
	}
}

func check(t *testing.T, err error, call, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("it does not fail")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) > 2 || len(lines) == 2 && !strings.Contains(lines[1], "the same command continues here") {
		t.Errorf("it says %q", err)
	}
	if !strings.Contains(lines[0], call) || !strings.Contains(lines[0], says) || strings.Contains(lines[0], "AAAA") {
		t.Errorf("it says %q, want %q and %q", lines[0], call, says)
	}
}

// TestPassingFailures has every call fail once in a way that passes.
func TestPassingFailures(t *testing.T) {
	for _, kind := range kinds {
		for name, failure := range failures {
			if !failure.again {
				continue
			}
			t.Run(kind.name+"/"+name, func(t *testing.T) {
				config := configOf(kind.config)
				f := kind.account()
				n := 0
				f.fail = func(string) error {
					if n++; n%2 == 1 {
						return failure.err
					}
					return nil
				}
				for _, deletion := range []bool{false, true} {
					if err := converge(t, f.cloud(config), deletion); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// TestInterrupted is what Ctrl-C brings about.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := chapter3().withELB()
	f.fail = func(string) error {
		cancel()
		return &smithyhttp.RequestSendError{Err: ctx.Err()}
	}
	_, err := lb.NewPlan(ctx, f.cloud(Default()))
	if want := "reading vpc kubernetes-the-hard-way: ec2:DescribeVpcs was interrupted"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestWhatIsInUseForGood is not deleted, and not tried for ever.
func TestWhatIsInUseForGood(t *testing.T) {
	config := configOf(func(c *Config) { c.Create = true })
	f := chapter3()
	f.apply(t, config)
	f.patience = 10 * time.Millisecond
	f.fail = func(call string) error {
		if call == "ec2:DeleteSecurityGroup" {
			return refused(400, "DependencyViolation")
		}
		return nil
	}
	cloud := f.cloud(config)
	plan, err := lb.NewDeletion(t.Context(), cloud)
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Apply(t.Context(), func(lb.Step) {})
	check(t, err, "ec2:DeleteSecurityGroup", "(DependencyViolation)")
	if f.classic != nil {
		t.Error("the load balancer, which comes first, is not deleted")
	}
}
