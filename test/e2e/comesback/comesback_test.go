// SPDX-License-Identifier: Apache-2.0

// Package comesback deletes and changes what a cluster cannot do without, by hand:
// it comes back, what is to be left alone stays, and a component that is denied what
// it needs says so.
package comesback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

const scheduler = "system:kube-scheduler"

func TestWhatIsDeletedComesBack(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Manifest("team.yaml", harness.TeamNamespace+"---\n"+harness.TeamConfigMap("kept")+"---\n"+harness.TeamConfigMap("left")+"---\n"+harness.TeamConfigMap("changed"))
	gone := c.Manifest("gone.yaml", harness.TeamConfigMap("gone"))
	c.StartReady()
	c.AwaitStatus("bootstrap leading (7 objects applied)")
	before := defaults(c)

	ctx, rbac, maps := c.Context(), c.Client().RbacV1(), c.Client().CoreV1().ConfigMaps("team")
	none, all := metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "kubernetes.io/bootstrapping=rbac-defaults"}
	c.Must(rbac.ClusterRoles().DeleteCollection(ctx, none, all))
	c.Must(rbac.ClusterRoleBindings().DeleteCollection(ctx, none, all))
	c.Must(rbac.Roles(metav1.NamespaceSystem).DeleteCollection(ctx, none, all))
	c.Must(rbac.RoleBindings(metav1.NamespaceSystem).DeleteCollection(ctx, none, all))
	c.Must(rbac.ClusterRoleBindings().Delete(ctx, "system:kube-apiserver", none))
	// Admission lets nobody delete it by the API.
	_, err := c.EtcdClient(c.Lab(""), fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdClient)).Delete(ctx, "/registry/priorityclasses/system-node-critical")
	c.Must(err)
	c.Must(maps.Delete(ctx, "kept", none))
	c.Must(change(ctx, c, "changed", nil))
	c.Must(change(ctx, c, "left", map[string]string{rbacv1.AutoUpdateAnnotationKey: "false"}))
	c.Eventually("all of Kubernetes' defaults to be there again", func(context.Context) error {
		if now := defaults(c); now != before {
			return fmt.Errorf("there are\n%s\nwant\n%s", now, before)
		}
		return nil
	})
	c.TeamConfigMapSays("kept", "as-in-file")
	c.TeamConfigMapSays("changed", "as-in-file")
	c.TeamConfigMapSays("left", "by-hand")
	for _, what := range []string{
		"ClusterRole system:kube-scheduler was deleted", "ClusterRole system:kube-apiserver-to-kubelet was deleted",
		"ClusterRoleBinding system:kube-apiserver was deleted", "Role kube-system/extension-apiserver-authentication-reader was deleted",
		"PriorityClass system-node-critical was deleted", "ConfigMap team/kept was deleted", "ConfigMap team/changed was changed",
	} {
		c.Eventually("one event that "+what, func(ctx context.Context) error { return toldOnce(ctx, c, what) })
		object, _, _ := strings.Cut(what, " was ")
		if n := logged(c, object); n != 1 {
			t.Errorf("the log says %d times that %s", n, what)
		}
	}

	// A manifest that is taken away deletes nothing, and is not kept any more.
	c.Must(os.Remove(gone))
	c.Must(c.Process.Signal(syscall.SIGHUP))
	c.AwaitStatus("bootstrap leading (6 objects applied)")
	c.TeamConfigMapSays("gone", "as-in-file")
	c.Must(maps.Delete(ctx, "gone", none))
	c.Must(maps.Delete(ctx, "kept", none))
	c.TeamConfigMapSays("kept", "as-in-file")
	if _, err := maps.Get(ctx, "gone", metav1.GetOptions{}); err == nil {
		t.Error("what no manifest has is put back")
	}
	c.StopInOrder()
}

func TestWhoIsDeniedSaysWhichRightItLacks(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady()
	churn := e.StartChurn(c.Client())
	churn.AwaitWork()

	// A role that somebody keeps without the right to bind.
	update(c, func(r *rbacv1.ClusterRole) {
		r.Annotations[rbacv1.AutoUpdateAnnotationKey] = "false"
		var rules []rbacv1.PolicyRule
		for _, rule := range r.Rules {
			if !strings.Contains(strings.Join(rule.Resources, " "), "pods/binding") {
				rules = append(rules, rule)
			}
		}
		r.Rules = rules
	})
	const lacking = "kube-scheduler leading (lacks the right to create pods/binding (user system:kube-scheduler)"
	c.AwaitStatus(lacking)
	if status := c.Notify.Last("STATUS"); !strings.HasPrefix(status, "degraded: ") {
		t.Errorf("with a scheduler that may not bind, the status is %q", status)
	}
	if logged(c, "ClusterRole "+scheduler) != 0 {
		t.Error("a role with autoupdate false was put back")
	}
	// Not protected any more, it is mended, and the scheduler works again.
	update(c, func(r *rbacv1.ClusterRole) { r.Annotations[rbacv1.AutoUpdateAnnotationKey] = "true" })
	c.Eventually("the scheduler to be well", func(context.Context) error {
		if status := c.Notify.Last("STATUS"); !strings.HasPrefix(status, "ready: ") {
			return errors.New(status)
		}
		return nil
	})
	churn.AwaitWork()

	// Of many rights it names some.
	update(c, func(r *rbacv1.ClusterRole) {
		r.Annotations[rbacv1.AutoUpdateAnnotationKey], r.Rules = "false", nil
	})
	c.AwaitStatus("kube-scheduler leading (lacks the right to create events.events.k8s.io (user system:kube-scheduler), create pods/binding (user system:kube-scheduler)")
	update(c, func(r *rbacv1.ClusterRole) { r.Annotations[rbacv1.AutoUpdateAnnotationKey] = "true" })
	churn.AwaitWork()
	c.StopInOrder()
}

// update changes the scheduler's role.
func update(c *harness.Controller, how func(*rbacv1.ClusterRole)) {
	c.Helper()
	roles := c.Client().RbacV1().ClusterRoles()
	c.Must(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		r, err := roles.Get(c.Context(), scheduler, metav1.GetOptions{})
		if err != nil {
			return err
		}
		how(r)
		_, err = roles.Update(c.Context(), r, metav1.UpdateOptions{})
		return err
	}))
}

// change changes a ConfigMap by hand.
func change(ctx context.Context, c *harness.Controller, name string, annotations map[string]string) error {
	maps := c.Client().CoreV1().ConfigMaps("team")
	m, err := maps.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	m.Annotations, m.Data = annotations, map[string]string{"key": "by-hand"}
	_, err = maps.Update(ctx, m, metav1.UpdateOptions{})
	return err
}

// defaults lists what Kubernetes and the lab have by default, with what it says.
func defaults(c *harness.Controller) string {
	c.Helper()
	return c.Kubectl("get", "clusterroles,clusterrolebindings,roles,rolebindings,priorityclasses", "-A", "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.rules}{.subjects}{.roleRef}{.value}{"\n"}{end}`)
}

// toldOnce wants one event in kube-system that says something.
func toldOnce(ctx context.Context, c *harness.Controller, what string) error {
	events, err := c.Client().CoreV1().Events(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{FieldSelector: "reason=PutBack"})
	if err != nil {
		return err
	}
	times := 0
	for _, event := range events.Items {
		if strings.HasPrefix(event.Message, what+",") {
			times += int(event.Count)
		}
	}
	if times != 1 {
		return fmt.Errorf("%d of %d events say so", times, len(events.Items))
	}
	return nil
}

// logged counts the lines of the log that say that an object was put back.
func logged(c *harness.Controller, object string) int {
	n := 0
	for _, line := range c.Process.Lines() {
		if strings.Contains(line, "is put back") && strings.Contains(line, `"`+object+`"`) {
			n++
		}
	}
	return n
}
