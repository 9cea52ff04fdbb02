// SPDX-License-Identifier: Apache-2.0

// Package kubeletrbac has a controller apply the lab's RBAC for the kubelet API
// and a directory of manifests, and meddles with what was applied.
package kubeletrbac

import (
	"context"
	"fmt"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

const (
	role    = "system:kube-apiserver-to-kubelet"
	binding = "system:kube-apiserver"
)

func TestKubeletRBAC(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Manifest("10-team.yaml", harness.TeamNamespace+"---\n"+harness.TeamConfigMap("first"))
	broken := c.Manifest("20-broken.yaml", "apiVersion: v1\nkind: [\n")
	c.Manifest("30-more.yaml", harness.TeamConfigMap("second")+"---\n"+harness.TeamConfigMap("third"))

	c.StartReady()
	c.AwaitStatus("bootstrap leading")
	c.AwaitStatus(broken) // named, and the control plane is ready all the same
	asInTheLab(c)
	for _, name := range []string{"first", "second", "third"} {
		c.TeamConfigMapSays(name, "as-in-file")
	}
	warned(c, "ManifestSkipped", broken)

	meddle(c)
	c.Manifest("20-broken.yaml", harness.TeamConfigMap("mended"))
	c.StopInOrder()
	c.StartReady()
	c.AwaitStatus("objects applied)")
	if status := c.Notify.Last("STATUS"); !strings.HasPrefix(status, "ready: ") {
		t.Errorf("with everything applied the status is %q", status)
	}
	asInTheLab(c)
	c.TeamConfigMapSays("first", "as-in-file")
	c.TeamConfigMapSays("second", "as-in-file")
	c.TeamConfigMapSays("mended", "as-in-file")
	c.TeamConfigMapSays("third", "by-hand") // autoupdate: "false"
	c.StopInOrder()
}

// asInTheLab asks the apiserver what the user kubernetes may do on kubelets, and
// kubectl for the two objects.
func asInTheLab(c *harness.Controller) {
	c.Helper()
	for _, sub := range []string{"proxy", "stats", "log", "spec", "metrics"} {
		for _, verb := range []string{"get", "create"} {
			c.Eventually("the user kubernetes to "+verb+" nodes/"+sub, func(ctx context.Context) error {
				return may(ctx, c, verb, sub)
			})
		}
	}
	if err := may(c.Context(), c, "get", ""); err == nil {
		c.Error("the user kubernetes may get nodes, which the lab does not grant")
	}
	got := c.Kubectl("get", "clusterrole", role, "-o", `jsonpath={.rules}{.metadata.labels}{.metadata.annotations}`)
	want := `[{"apiGroups":[""],"resources":["nodes/proxy","nodes/stats","nodes/log","nodes/spec","nodes/metrics"],"verbs":["*"]}]` +
		`{"kubernetes.io/bootstrapping":"rbac-defaults"}{"rbac.authorization.kubernetes.io/autoupdate":"true"}`
	if got != want {
		c.Errorf("the ClusterRole is\n%s\nwant, as in the lab,\n%s", got, want)
	}
	got = c.Kubectl("get", "clusterrolebinding", binding, "-o", `jsonpath={.roleRef.kind} {.roleRef.name} {.subjects}`)
	want = "ClusterRole " + role + ` [{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"kubernetes"}]`
	if got != want {
		c.Errorf("the ClusterRoleBinding is\n%s\nwant, as in the lab,\n%s", got, want)
	}
}

func may(ctx context.Context, c *harness.Controller, verb, subresource string) error {
	review, err := c.Client().AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "kubernetes",
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "nodes", Subresource: subresource},
		},
	}, metav1.CreateOptions{})
	if err == nil && !review.Status.Allowed {
		err = fmt.Errorf("denied: %s", review.Status.Reason)
	}
	return err
}

func warned(c *harness.Controller, reason, text string) {
	c.Helper()
	c.Eventually("an event "+reason, func(ctx context.Context) error {
		events, err := c.Client().CoreV1().Events(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{FieldSelector: "reason=" + reason})
		if err != nil {
			return err
		}
		if len(events.Items) != 1 || !strings.Contains(events.Items[0].Message, text) {
			return fmt.Errorf("the events are %v, want one that names %s", events.Items, text)
		}
		return nil
	})
}

// meddle does what drifts in practice: fewer verbs, a binding to another role, a
// changed and a missing object, and one that is to be left alone.
func meddle(c *harness.Controller) {
	c.Helper()
	ctx, rbac, maps := c.Context(), c.Client().RbacV1(), c.Client().CoreV1().ConfigMaps("team")
	r, err := rbac.ClusterRoles().Get(ctx, role, metav1.GetOptions{})
	c.Must(err)
	r.Rules[0].Verbs = []string{"get"}
	_, err = rbac.ClusterRoles().Update(ctx, r, metav1.UpdateOptions{})
	c.Must(err)

	// What is deleted is put back at once: the other binding has to be quicker.
	c.Eventually("a binding of this name to another role", func(ctx context.Context) error {
		if err := rbac.ClusterRoleBindings().Delete(ctx, binding, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		_, err := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: binding},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "somebody-else"}},
		}, metav1.CreateOptions{})
		return err
	})

	for name, annotations := range map[string]map[string]string{"first": nil, "third": {rbacv1.AutoUpdateAnnotationKey: "false"}} {
		m, err := maps.Get(ctx, name, metav1.GetOptions{})
		c.Must(err)
		m.Annotations, m.Data = annotations, map[string]string{"key": "by-hand"}
		_, err = maps.Update(ctx, m, metav1.UpdateOptions{})
		c.Must(err)
	}
	if err := maps.Delete(ctx, "second", metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		c.Fatal(err)
	}
}
