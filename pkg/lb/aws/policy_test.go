// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// onCreation are the permissions that AWS wants beside that of the call when
// something is created, with tags, or first.
var onCreation = []string{"ec2:CreateTags", "elasticloadbalancing:AddTags", "iam:CreateServiceLinkedRole"}

// TestPolicyIsWhatIsCalled compares the policy with the calls of making it, of
// repairing each difference, of asking for health and of deleting it.
func TestPolicyIsWhatIsCalled(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			config := configOf(kind.config)
			called := map[string]bool{}
			note := func(f *fake) {
				for _, c := range f.calls {
					called[c] = true
				}
			}
			for _, differ := range differencesOf(config.Type) {
				f := kind.account()
				f.apply(t, config)
				differ(f)
				f.apply(t, config)
				cloud := f.cloud(config)
				if _, err := lb.NewPlan(t.Context(), cloud); err != nil {
					t.Fatal(err)
				}
				if _, err := cloud.Health(t.Context()); err != nil {
					t.Fatal(err)
				}
				note(f)
			}
			comparePolicy(t, config, false, called)
			f := kind.account()
			if config.Create {
				f.subnets = nil // Chapter 3's would be left.
			}
			f.apply(t, config)
			f.remove(t, config)
			note(f)
			document := comparePolicy(t, config, true, called)
			compare(t, filepath.Join("testdata", "policy-"+kind.name+".json"), document+"\n")
		})
	}
}

// differencesOf are those of all kinds of a type.
func differencesOf(balancerType string) []func(*fake) {
	var all []func(*fake)
	for _, kind := range kinds {
		if configOf(kind.config).Type == balancerType {
			all = append(all, slices.Collect(maps.Values(kind.differ))...)
		}
	}
	return all
}

func comparePolicy(t *testing.T, config Config, deletion bool, called map[string]bool) string {
	t.Helper()
	text, err := Policy(config, deletion)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, s := range d.Statement {
		for _, a := range s.Action {
			if allowed[a] {
				t.Errorf("%s is allowed twice", a)
			}
			allowed[a] = true
			if !called[a] && !slices.Contains(onCreation, a) {
				t.Errorf("%s is allowed and never called", a)
			}
		}
	}
	for _, c := range sortedKeys(called) {
		if !allowed[c] {
			t.Errorf("%s is called and not allowed", c)
		}
	}
	return text
}

func TestPolicyNamesTheLoadBalancer(t *testing.T) {
	for region, want := range map[string]string{
		"":              "arn:aws:elasticloadbalancing:*:*:loadbalancer/mine",
		"eu-west-1":     "arn:aws:elasticloadbalancing:eu-west-1:*:loadbalancer/mine",
		"cn-north-1":    "arn:aws-cn:elasticloadbalancing:cn-north-1:*:loadbalancer/mine",
		"us-gov-east-1": "arn:aws-us-gov:elasticloadbalancing:us-gov-east-1:*:loadbalancer/mine",
	} {
		text, err := Policy(configOf(func(c *Config) { c.Region, c.LoadBalancer = region, "mine" }), false)
		if err != nil || !strings.Contains(text, `"`+want+`"`) {
			t.Errorf("%v, %s is not in %s", err, want, text)
		}
	}
}
