// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/test/e2e/faults/checker"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// emulating has ours behave like the release before: whatever is written then, that one
// knows.
const emulating = "emulated-version="

// TestRollingUpgradeAndBack upgrades three controllers of the release before to ours, one
// after the other, while clients write, read and watch through a balancer, and takes them
// back in the same way; first with ours emulating the release before, as who wants to
// keep the way back open has it, and then without.
func TestRollingUpgradeAndBack(t *testing.T) {
	s := newSite(asked(t))
	is := versionOf(s.Env, s.nodes[0].direct)
	for _, emulated := range []string{is.Major + "." + is.Minor, ""} {
		var args []string
		as := "as itself"
		if emulated != "" {
			args, as = []string{"--kube-apiserver-arg", emulating + emulated}, "emulating "+emulated
		}
		s.leg("up, "+as, func(n *node, rest []*node) {
			n.stopStock()
			n.startOurs(args...)
			s.mixed(n, rest, emulated)
		})
		s.leg("back from "+as, func(n *node, rest []*node) {
			n.Stop()
			n.startStock()
			if len(rest) > 0 {
				s.mixed(rest[0], nil, emulated)
			}
		})
	}
}

// often is how many times each client has been served before one controller, and after.
const often = 5

// leg has a step taken on one controller after the other, and judges what clients saw.
// The step is told which controllers come after it.
func (s *site) leg(name string, step func(n *node, rest []*node)) {
	s.Helper()
	revision, began := s.revision(), time.Now()
	c, err := checker.Start(s.Context(), s.admin, s.namespace())
	s.Must(err)
	defer c.Stop()
	served := func(when string, since time.Time) {
		s.Helper()
		s.Within(2*harness.Patience, "every client to be served "+when, func(context.Context) error {
			if err := c.AllServed(often, since); err != nil {
				return err
			}
			if bound := c.Bound(); len(bound) == 0 || bound[len(bound)-1].Before(since) {
				return errors.New("no pod was put on a node")
			}
			return nil
		})
	}
	served("before", began)
	from := time.Now()
	for i, n := range s.nodes {
		step(n, s.nodes[i+1:])
		s.awaitWhole()
		served("after "+n.Name, time.Now())
		s.identities()
	}
	to := time.Now()
	c.Rest()
	s.Eventually("every watch to see what was written", func(context.Context) error { return c.CaughtUp() })
	c.Stop()
	s.judge(name, c, revision, began)
	for _, client := range sorted(checker.Served(c.Ops(), from, to)) {
		s.Logf("%s: %s", name, client)
	}
}

func sorted(served map[string]checker.Service) []string {
	var all []string
	for client, v := range served {
		all = append(all, fmt.Sprintf("%s: %d of %d requests failed, at most %s without service", client, v.Failed, v.Asked, v.Without.Round(100*time.Millisecond)))
	}
	slices.Sort(all)
	return all
}

// mixed wants of one of ours what it says of itself among stock ones: that it is ready,
// which version it emulates, who the others are, and who leads.
func (s *site) mixed(n *node, stock []*node, emulated string) {
	s.Helper()
	v := versionOf(s.Env, n.direct)
	if got := v.EmulationMajor + "." + v.EmulationMinor; emulated != "" && got != emulated || v.Minor == "" {
		s.Errorf("%s says that it emulates %s, want %s: %+v", n.Name, got, emulated, v)
	}
	if accepted := s.acceptsNewer(n); accepted != (emulated == "") {
		s.Errorf("%s, emulating %q, accepts what is new: %t", n.Name, emulated, accepted)
	}
	s.Eventually(n.Name+" to say how it is", func(ctx context.Context) error {
		r, err := n.status(ctx)
		switch {
		case err != nil:
			return err
		case r.Status != "ready" || len(r.Problems) > 0:
			return fmt.Errorf("%s: %s", r.Summary, strings.Join(r.Problems, "; "))
		case len(r.Controllers) != len(s.nodes):
			return fmt.Errorf("it knows of %q", r.Controllers)
		}
		for _, component := range r.Components {
			if slices.Contains(cluster.Leases(), component.Component) {
				if err := s.saysWhoLeads(ctx, n, component.Component, string(component.State), component.Detail); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if len(stock) > 0 {
		s.Logf("%s beside %d of the release before: %s", n.Name, len(stock), s.summary(n))
	}
}

// acceptsNewer reports whether a server would store what the release before does not
// accept.
func (s *site) acceptsNewer(n *node) bool {
	s.Helper()
	metric := autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "queue"},
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewQuantity(1, resource.DecimalSI)},
	}}
	_, err := n.direct.AutoscalingV2().HorizontalPodAutoscalers(metav1.NamespaceDefault).Create(s.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "to-zero"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "idle"},
			MinReplicas:    ptr.To(int32(0)), MaxReplicas: 3, Metrics: []autoscalingv2.MetricSpec{metric},
		},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil && !apierrors.IsInvalid(err) {
		s.Fatal(err)
	}
	return err == nil
}

// saysWhoLeads compares what one of ours says of a lease with who holds it.
func (s *site) saysWhoLeads(ctx context.Context, n *node, lease, state, detail string) error {
	holder, err := cluster.Holder(ctx, n.direct, lease)
	if err != nil {
		return err
	}
	host, _, _ := strings.Cut(holder, "_")
	if host == n.Name && state != "leading" || host != n.Name && (state != "standby" || !strings.Contains(detail, host)) {
		return fmt.Errorf("%s leads by the lease %s, and %s says: %s %s", holder, lease, n.Name, state, detail)
	}
	return nil
}

// identities wants each apiserver to be known by a lease of its own, and nobody else.
func (s *site) identities() {
	s.Helper()
	s.Eventually("each apiserver to have its lease", func(ctx context.Context) error {
		leases, err := s.nodes[0].direct.CoordinationV1().Leases(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "apiserver.kubernetes.io/identity=kube-apiserver"})
		if err != nil {
			return err
		}
		var got, want []string
		for _, l := range leases.Items {
			if time.Since(l.Spec.RenewTime.Time) < time.Duration(*l.Spec.LeaseDurationSeconds)*time.Second {
				got = append(got, l.Labels[corev1.LabelHostname])
			}
		}
		for _, n := range s.nodes {
			want = append(want, n.Name)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("there are those of %q", got)
		}
		return nil
	})
}

// judge looks for what nothing excuses.
func (s *site) judge(name string, c *checker.Checker, revision int64, began time.Time) {
	s.Helper()
	ops := c.Ops()
	found := map[string][]string{"stale reads": checker.Stale(ops), "two pods for one": checker.Duplicates(c.Pods())}
	for _, n := range s.nodes {
		stored, err := c.Stored(s.Context(), n.direct)
		s.Must(err)
		found["writes lost"] = append(found["writes lost"], checker.Lost(ops, stored)...)
	}
	for watch, events := range c.Watched() {
		for _, gap := range checker.Gaps(ops, events) {
			found["gaps"] = append(found["gaps"], watch+": "+gap)
		}
	}
	audits := map[string][]auditv1.Event{}
	for _, n := range s.nodes {
		audits[n.Name] = slices.DeleteFunc(s.Audit(n.Root), func(e auditv1.Event) bool { return e.RequestReceivedTimestamp.Time.Before(began) })
	}
	for _, lease := range cluster.Leases() {
		tenures, err := cluster.TenuresSince(s.Context(), s.etcd, lease, revision)
		s.Must(err)
		found["two actors"] = append(found["two actors"], cluster.Exclusive(tenures, lease, audits)...)
		var order []string
		for _, tenure := range tenures {
			host, _, _ := strings.Cut(tenure.Holder, "_")
			order = append(order, host)
			// Who acts uses the apiserver of its own machine.
			for who := range tenure.Acts {
				if who != host {
					s.Errorf("%s: %s: %s held the lease, and %s acted", name, lease, host, who)
				}
			}
		}
		s.Logf("%s: %s was held by %q", name, lease, order)
	}
	for what, all := range found {
		if len(all) > 0 {
			s.Errorf("%s: %s: %d:\n%s", name, what, len(all), strings.Join(all[:min(len(all), 20)], "\n"))
		}
	}
}
