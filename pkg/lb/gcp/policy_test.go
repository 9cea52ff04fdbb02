// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// TestPolicyIsWhatIsCalled holds the role for each combination of flags against
// the calls of all that can happen: it allows every one, and has no permission
// that none of them needs.
func TestPolicyIsWhatIsCalled(t *testing.T) {
	for _, kind := range Types {
		for _, use := range []lb.Use{{}, {Delete: true}, {Change: true, Health: true}, {Change: true, Delete: true}} {
			for _, create := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %+v %t", kind, use, create), func(t *testing.T) {
					t.Parallel()
					role := permissions(Config{Options: lb.Options{Type: kind, Create: create, Prune: true}}, use)
					needed := map[string]bool{}
					for _, d := range append(deviations(), deviation{name: "nothing there"}) {
						if len(d.types) == 0 || d.types[0] == kind {
							underRole(t, kind, d, use, create, role, needed)
						}
					}
					for _, p := range role {
						if !needed[p] {
							t.Errorf("the role has %s, which no call needs", p)
						}
					}
				})
			}
		}
	}
}

// underRole does in one state of things what a use is for, and notes what the
// calls need.
func underRole(t *testing.T, kind string, d deviation, use lb.Use, create bool, role []string, needed map[string]bool) {
	l := newLab(t, kind)
	if d.make != nil {
		l.cfg.Create = create
		if create {
			l.Remove(region + "addresses/kubernetes-the-hard-way")
		}
		l.complete()
		d.make(l)
	} else if create {
		l.Remove(region + "addresses/kubernetes-the-hard-way")
	}
	l.cfg.Type, l.cfg.Create, l.cfg.Prune = kind, create, true
	l.Forget()
	l.Grant(role...)
	err := l.use(use)
	for _, c := range l.Calls() {
		if c.Status == http.StatusForbidden {
			t.Errorf("%s: %s is not allowed: %v", d.name, c.Method, err)
		}
		for _, p := range c.Needs {
			needed[p] = true
		}
	}
}

func (l *lab) use(use lb.Use) error {
	cloud, err := l.open(hasty())
	if err != nil {
		return err
	}
	planned := lb.NewPlan
	if use.Delete {
		planned = lb.NewDeletion
	}
	plan, err := planned(l.Context(), cloud)
	if err != nil {
		return err
	}
	if use.Change {
		if err := plan.Apply(l.Context(), func(lb.Step) {}); err != nil {
			return err
		}
	}
	if use.Health {
		_, err = cloud.Status(l.Context())
	}
	return err
}

func TestPolicyIsARole(t *testing.T) {
	cfg := Default()
	got := Policy(cfg, lb.Use{Change: true})
	for _, part := range []string{"gcloud iam roles create khwLoadBalancer --project PROJECT", "stage: GA\nincludedPermissions:\n- compute.addresses.get\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("it prints\n%s\nwant %q in it", got, part)
		}
	}
	if slices.Contains(permissions(cfg, lb.Use{Change: true}), "compute.firewalls.delete") || !slices.Contains(permissions(cfg, lb.Use{Change: true, Delete: true}), "compute.firewalls.delete") {
		t.Error("a firewall rule is deleted with --delete only")
	}
}
