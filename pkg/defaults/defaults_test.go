// SPDX-License-Identifier: Apache-2.0

package defaults

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// roleNames are the names of the cluster roles that there are.
func roleNames(t *testing.T, client kubernetes.Interface) sets.Set[string] {
	t.Helper()
	list, err := client.RbacV1().ClusterRoles().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := sets.New[string]()
	for _, r := range list.Items {
		names.Insert(r.Name)
	}
	return names
}

func TestAllDefaultRolesAreMade(t *testing.T) {
	client := fake.NewClientset()
	if err := EnsureRoles(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	want := sets.New[string]()
	for _, r := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		want.Insert(r.Name)
		got, err := client.RbacV1().ClusterRoles().Get(t.Context(), r.Name, metav1.GetOptions{})
		if err != nil || len(got.Rules) != len(r.Rules) {
			t.Errorf("%s: %v, %d rules", r.Name, err, len(got.Rules))
		}
	}
	if got := roleNames(t, client); !got.Equal(want) || want.Len() < 70 {
		t.Errorf("missing or too much: %v", got.SymmetricDifference(want).UnsortedList())
	}
	bindings, err := client.RbacV1().ClusterRoleBindings().List(t.Context(), metav1.ListOptions{})
	if want := len(bootstrappolicy.ClusterRoleBindings()) + len(bootstrappolicy.ControllerRoleBindings()); err != nil || len(bindings.Items) != want {
		t.Errorf("%d cluster role bindings, want %d (%v)", len(bindings.Items), want, err)
	}
	for namespace, roles := range bootstrappolicy.NamespaceRoles() {
		if list, err := client.RbacV1().Roles(namespace).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != len(roles) {
			t.Errorf("%d roles in %s, want %d (%v)", len(list.Items), namespace, len(roles), err)
		}
	}
	for namespace, roleBindings := range bootstrappolicy.NamespaceRoleBindings() {
		if list, err := client.RbacV1().RoleBindings(namespace).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != len(roleBindings) {
			t.Errorf("%d bindings in %s, want %d (%v)", len(list.Items), namespace, len(roleBindings), err)
		}
	}

	client.ClearActions()
	if err := EnsureRoles(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	for _, a := range client.Actions() {
		if a.GetVerb() != "get" && a.GetVerb() != "list" {
			t.Errorf("a second time: %s %s", a.GetVerb(), a.GetResource().Resource)
		}
	}
	if got := len(client.Actions()); got > 15 {
		t.Errorf("a second time, there are %d questions", got)
	}
}

func TestRolesThatAreThereAreAddedTo(t *testing.T) {
	own := rbacv1.PolicyRule{APIGroups: []string{"example.com"}, Resources: []string{"widgets"}, Verbs: []string{"get"}}
	role := func(name, update string) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{rbacv1.AutoUpdateAnnotationKey: update}}, Rules: []rbacv1.PolicyRule{own}}
	}
	client := fake.NewClientset(role("system:kube-scheduler", "true"), role("system:node-proxier", "false"))
	if err := EnsureRoles(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]bool{"system:kube-scheduler": true, "system:node-proxier": false} {
		got, err := client.RbacV1().ClusterRoles().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		hasOwn := slices.ContainsFunc(got.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "widgets") })
		if !hasOwn || (len(got.Rules) > 1) != more {
			t.Errorf("%s has the rules %v", name, got.Rules)
		}
	}
}

func TestWhatOlderReleasesHadIsTakenOver(t *testing.T) {
	edit := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "edit"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"example.com"}, Resources: []string{"widgets"}, Verbs: []string{"get"}}}}
	discovery := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "system:discovery"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "system:discovery"},
		Subjects: []rbacv1.Subject{{Kind: "Group", Name: "ours"}}}
	client := fake.NewClientset(edit, discovery)
	if err := EnsureRoles(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	got, err := client.RbacV1().ClusterRoles().Get(t.Context(), "system:aggregate-to-edit", metav1.GetOptions{})
	if err != nil || !slices.ContainsFunc(got.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "widgets") }) {
		t.Errorf("system:aggregate-to-edit: %v, %v", got, err)
	}
	split, err := client.RbacV1().ClusterRoleBindings().Get(t.Context(), "system:public-info-viewer", metav1.GetOptions{})
	if err != nil || !slices.ContainsFunc(split.Subjects, func(s rbacv1.Subject) bool { return s.Name == "ours" }) {
		t.Errorf("system:public-info-viewer: %v, %v", split, err)
	}
}

// failing makes so many writes of a resource fail.
func failing(client *fake.Clientset, resource string, times int64, err error) {
	var n atomic.Int64
	client.PrependReactor("create", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		return n.Add(1) <= times, nil, err
	})
}

func TestOneFailureDoesNotKeepTheOthersFromBeingMade(t *testing.T) {
	client := fake.NewClientset()
	failing(client, "clusterroles", 1, errors.New("no space"))
	err := EnsureRoles(t.Context(), client)
	if err == nil || !strings.Contains(err.Error(), "no space") {
		t.Fatalf("got %v", err)
	}
	all := len(bootstrappolicy.ClusterRoles()) + len(bootstrappolicy.ControllerRoles())
	if got := roleNames(t, client).Len(); got != all-1 {
		t.Errorf("%d of %d are made", got, all)
	}
}

func TestOthersInTheWayAreRetried(t *testing.T) {
	for name, err := range map[string]error{
		"there already":      apierrors.NewAlreadyExists(schema.GroupResource{Resource: "clusterroles"}, "x"),
		"a conflict":         apierrors.NewConflict(schema.GroupResource{Resource: "clusterroles"}, "x", errors.New("changed")),
		"storage is updated": apierrors.NewServiceUnavailable("wait for the other apiservers"),
	} {
		client := fake.NewClientset()
		failing(client, "clusterroles", 2, err)
		if err := EnsureRoles(t.Context(), client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestARoleThatAnotherChangesMeanwhileIsReadAgain has a role change after it was listed.
func TestARoleThatAnotherChangesMeanwhileIsReadAgain(t *testing.T) {
	const name = "system:kube-scheduler"
	theirs := rbacv1.PolicyRule{APIGroups: []string{"example.com"}, Resources: []string{"widgets"}, Verbs: []string{"get"}}
	client := fake.NewClientset(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}})
	var once atomic.Bool
	client.PrependReactor("update", "clusterroles", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if !once.CompareAndSwap(false, true) {
			return false, nil, nil
		}
		changed := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{theirs}}
		if err := client.Tracker().Update(a.GetResource(), changed, ""); err != nil {
			t.Error(err)
		}
		return true, nil, apierrors.NewConflict(a.GetResource().GroupResource(), name, errors.New("changed"))
	})
	if err := EnsureRoles(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	got, err := client.RbacV1().ClusterRoles().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil || len(got.Rules) < 2 || !slices.ContainsFunc(got.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "widgets") }) {
		t.Errorf("it has %v, %v", got.Rules, err)
	}
}

func TestPriorityClasses(t *testing.T) {
	client := fake.NewClientset()
	failing(client, "priorityclasses", 1, errors.New("not yet"))
	if err := EnsurePriorityClasses(t.Context(), client); err == nil {
		t.Error("a failure is not told")
	}
	for range 2 {
		if err := EnsurePriorityClasses(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.SchedulingV1().PriorityClasses().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 2 {
		t.Errorf("there are %v (%v)", list.Items, err)
	}
}
