// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"io"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// TestLostAnswers loses the first answer to each call that changes something. The
// call is made again, finds its own work, and goes on: there is one of each.
func TestLostAnswers(t *testing.T) {
	for _, kind := range kinds {
		config := configOf(kind.config)
		whole := kind.account()
		whole.apply(t, config)
		for _, call := range changing(whole.calls) {
			t.Run(kind.name+"/"+call, func(t *testing.T) {
				f := kind.account()
				lost := 0
				f.lose = func(c string) bool {
					if c == call {
						lost++
					}
					return c == call && lost == 1
				}
				if err := converge(t, f.cloud(config), false); err != nil {
					t.Fatal(err)
				}
				f.lose = nil
				if again := f.apply(t, config); !strings.HasSuffix(again, nothing) {
					t.Errorf("there is more to do:\n%s", again)
				}
				if len(f.groups) != len(whole.groups) || len(f.rules) != len(whole.rules) || len(f.subnets) != len(whole.subnets) {
					t.Errorf("there are %d groups, %d rules, %d subnets", len(f.groups), len(f.rules), len(f.subnets))
				}
			})
		}
	}
}

// TestWhatWasJustMadeIsNotFound for a while by those who depend on it.
func TestWhatWasJustMadeIsNotFound(t *testing.T) {
	for call, code := range map[string]string{
		"ec2:AuthorizeSecurityGroupIngress":       "InvalidGroup.NotFound",
		"elasticloadbalancing:CreateLoadBalancer": "InvalidSecurityGroup",
		"elasticloadbalancing:RegisterTargets":    "TargetGroupNotFound",
		"elasticloadbalancing:CreateListener":     "LoadBalancerNotFound",
	} {
		config := created(unchanged)[NLB]
		f := chapter3()
		times := 0
		f.fail = func(c string) error {
			if c == call {
				if times++; times <= 3 {
					return refused(400, code)
				}
			}
			return nil
		}
		if err := converge(t, f.cloud(config), false); err != nil || times < 4 {
			t.Errorf("%s: %v after %d attempts", call, err, times)
		}
	}
}

// TestWhatIsNotFoundAndWasNotJustMade is told at once.
func TestWhatIsNotFoundAndWasNotJustMade(t *testing.T) {
	f := chapter3().withELB()
	times := 0
	f.fail = func(c string) error {
		if c == "elasticloadbalancing:ConfigureHealthCheck" {
			times++
			return refused(400, "LoadBalancerNotFound")
		}
		return nil
	}
	if err := converge(t, f.cloud(Default()), false); err == nil || times != 1 {
		t.Errorf("%v after %d attempts", err, times)
	}
}

// TestTwoRunsAtOnce has another run make everything between the plan and its
// application.
func TestTwoRunsAtOnce(t *testing.T) {
	for _, kind := range kinds {
		config := configOf(kind.config)
		f := kind.account()
		cloud := f.cloud(config)
		plan, err := lb.NewPlan(t.Context(), cloud)
		if err != nil {
			t.Fatal(err)
		}
		f.apply(t, config)
		if err := plan.Apply(t.Context(), func(lb.Step) {}); err != nil {
			t.Errorf("%s: %v", kind.name, err)
		}
		if again := f.apply(t, config); !strings.HasSuffix(again, nothing) {
			t.Errorf("%s: there is more to do:\n%s", kind.name, again)
		}
	}
}

// TestEachAttemptIsTold, so that nothing hangs in silence.
func TestEachAttemptIsTold(t *testing.T) {
	f := chapter3().withELB()
	n := 0
	f.fail = func(string) error {
		if n++; n == 1 {
			return unsent(io.ErrUnexpectedEOF)
		}
		return nil
	}
	var told []string
	config := configOf(func(c *Config) { c.Doing = func(what string) { told = append(told, what) } })
	f.apply(t, config)
	if len(told) < 3 || told[0] != "ec2:DescribeVpcs" || told[1] != "ec2:DescribeVpcs, attempt 2" || len(told) != len(f.calls) {
		t.Errorf("told was %v of %v", told, f.calls)
	}
}
