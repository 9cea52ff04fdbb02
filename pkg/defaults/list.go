// SPDX-License-Identifier: Apache-2.0

package defaults

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"
	"k8s.io/component-helpers/auth/rbac/reconciliation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// existing is what there is of roles and bindings, by namespace and name: some lists in
// the place of a question for each of 120 objects.
type existing struct {
	roles    map[types.NamespacedName]reconciliation.RuleOwner
	bindings map[types.NamespacedName]reconciliation.RoleBinding
}

// listRBAC returns what there is where Kubernetes has objects by default.
func listRBAC(ctx context.Context, client kubernetes.Interface) (*existing, error) {
	e := &existing{map[types.NamespacedName]reconciliation.RuleOwner{}, map[types.NamespacedName]reconciliation.RoleBinding{}}
	rbac := client.RbacV1()
	lists := []pager.ListPageFunc{
		pager.SimplePageFunc(func(o metav1.ListOptions) (runtime.Object, error) { return rbac.ClusterRoles().List(ctx, o) }),
		pager.SimplePageFunc(func(o metav1.ListOptions) (runtime.Object, error) { return rbac.ClusterRoleBindings().List(ctx, o) }),
	}
	for namespace := range bootstrappolicy.NamespaceRoles() {
		lists = append(lists, pager.SimplePageFunc(func(o metav1.ListOptions) (runtime.Object, error) { return rbac.Roles(namespace).List(ctx, o) }))
	}
	for namespace := range bootstrappolicy.NamespaceRoleBindings() {
		lists = append(lists, pager.SimplePageFunc(func(o metav1.ListOptions) (runtime.Object, error) { return rbac.RoleBindings(namespace).List(ctx, o) }))
	}
	for _, list := range lists {
		// From the apiserver's cache, or page by page while that is not filled: waiting for it
		// to be the newest takes longer than all the questions. What has changed since is found
		// when it is written.
		if err := pager.New(list).EachListItem(ctx, metav1.ListOptions{ResourceVersion: "0"}, e.add); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *existing) add(o runtime.Object) error {
	switch o := o.(type) {
	case *rbacv1.ClusterRole:
		e.roles[keyOf(o)] = reconciliation.ClusterRoleRuleOwner{ClusterRole: o}
	case *rbacv1.Role:
		e.roles[keyOf(o)] = reconciliation.RoleRuleOwner{Role: o}
	case *rbacv1.ClusterRoleBinding:
		e.bindings[keyOf(o)] = reconciliation.ClusterRoleBindingAdapter{ClusterRoleBinding: o}
	case *rbacv1.RoleBinding:
		e.bindings[keyOf(o)] = reconciliation.RoleBindingAdapter{RoleBinding: o}
	}
	return nil
}

// named is what has the name of an object.
type named interface {
	GetNamespace() string
	GetName() string
}

func keyOf(o named) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// role returns client with the first look at owner's role answered by what was listed.
// Where nothing was, it is client itself.
func (e *existing) role(owner reconciliation.RuleOwner, client reconciliation.RuleOwnerModifier) reconciliation.RuleOwnerModifier {
	if e == nil {
		return client
	}
	return &seenRole{RuleOwnerModifier: client, role: e.roles[keyOf(owner)]}
}

// binding is the same for a binding.
func (e *existing) binding(b reconciliation.RoleBinding, client reconciliation.RoleBindingModifier) reconciliation.RoleBindingModifier {
	if e == nil {
		return client
	}
	return &seenBinding{RoleBindingModifier: client, binding: e.bindings[keyOf(b)]}
}

// seenRole answers the first question for a role with what was listed. Whoever asks
// again has met another who changes the same role, and gets it as it is now.
type seenRole struct {
	reconciliation.RuleOwnerModifier
	role  reconciliation.RuleOwner // nil where there was none
	asked bool
}

// Get implements [reconciliation.RuleOwnerModifier].
func (s *seenRole) Get(namespace, name string) (reconciliation.RuleOwner, error) {
	if s.asked {
		return s.RuleOwnerModifier.Get(namespace, name)
	}
	s.asked = true
	if s.role == nil {
		return nil, apierrors.NewNotFound(rbacv1.Resource("roles"), name)
	}
	return s.role, nil
}

// seenBinding is the same for a binding.
type seenBinding struct {
	reconciliation.RoleBindingModifier
	binding reconciliation.RoleBinding
	asked   bool
}

// Get implements [reconciliation.RoleBindingModifier].
func (s *seenBinding) Get(namespace, name string) (reconciliation.RoleBinding, error) {
	if s.asked {
		return s.RoleBindingModifier.Get(namespace, name)
	}
	s.asked = true
	if s.binding == nil {
		return nil, apierrors.NewNotFound(rbacv1.Resource("rolebindings"), name)
	}
	return s.binding, nil
}
