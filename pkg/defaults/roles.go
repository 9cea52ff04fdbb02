// SPDX-License-Identifier: Apache-2.0

// Package defaults has the objects that Kubernetes has by default, and makes them as
// upstream's hooks do: roles and bindings of RBAC are made where they are missing and
// added to where they lack something, unless their annotation has them left alone
// (pkg/registry/rbac/rest/storage_rbac.go, ensureRBACPolicy); priority classes are made
// where they are missing (pkg/registry/scheduling/rest/storage_scheduling.go, AddSystemPriorityClasses).
package defaults

import (
	"context"
	"errors"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/component-helpers/auth/rbac/reconciliation"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// atOnce is how many objects are looked at and made at the same time.
const atOnce = 16

// EnsureRoles makes all of [Roles] as they have to be (k8s.io/kubernetes,
// pkg/registry/rbac/rest, ensureRBACPolicy).
func EnsureRoles(ctx context.Context, client kubernetes.Interface) error {
	// Their content is taken from those of older releases where those are there.
	if err := primeAggregated(ctx, client); err != nil {
		return fmt.Errorf("copying roles to those that are aggregated: %w", err)
	}
	if err := primeSplit(ctx, client); err != nil {
		return fmt.Errorf("copying bindings that were split: %w", err)
	}
	there, err := listRBAC(ctx, client)
	if err != nil {
		return fmt.Errorf("listing the roles that there are: %w", err)
	}
	all := rolesSeen(client, there)
	errs := make([]error, len(all))
	// What was begun is ended.
	workqueue.ParallelizeUntil(context.WithoutCancel(ctx), atOnce, len(all), func(i int) {
		outcome, err := all[i].Ensure(ctx)
		if outcome == Protected {
			klog.InfoS("A default object of RBAC lacks something, and its annotation has it left as it is", "object", all[i].String())
		}
		errs[i] = err
	})
	return errors.Join(errs...)
}

// Roles returns the roles and bindings of RBAC.
func Roles(client kubernetes.Interface) []Object { return rolesSeen(client, nil) }

// rolesSeen is Roles where the first look at each is at what was listed, if it is given.
func rolesSeen(client kubernetes.Interface, there *existing) []Object {
	var all []Object
	aRole := func(kind string, owner reconciliation.RuleOwner, client reconciliation.RuleOwnerModifier) {
		all = append(all, role(kind, owner, there.role(owner, client)))
	}
	aBinding := func(kind string, b reconciliation.RoleBinding, client reconciliation.RoleBindingModifier) {
		all = append(all, binding(kind, b, there.binding(b, client)))
	}
	rbac, namespaces := client.RbacV1(), client.CoreV1().Namespaces()
	for _, r := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		aRole("ClusterRole", reconciliation.ClusterRoleRuleOwner{ClusterRole: &r}, reconciliation.ClusterRoleModifier{Client: rbac.ClusterRoles()})
	}
	for _, b := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		aBinding("ClusterRoleBinding", reconciliation.ClusterRoleBindingAdapter{ClusterRoleBinding: &b}, reconciliation.ClusterRoleBindingClientAdapter{Client: rbac.ClusterRoleBindings()})
	}
	for _, roles := range bootstrappolicy.NamespaceRoles() {
		for _, r := range roles {
			aRole("Role", reconciliation.RoleRuleOwner{Role: &r}, reconciliation.RoleModifier{Client: rbac, NamespaceClient: namespaces})
		}
	}
	for _, bindings := range bootstrappolicy.NamespaceRoleBindings() {
		for _, b := range bindings {
			aBinding("RoleBinding", reconciliation.RoleBindingAdapter{RoleBinding: &b}, reconciliation.RoleBindingClientAdapter{Client: rbac, NamespaceClient: namespaces})
		}
	}
	return all
}

// retried does something again while others change the same object, or the apiserver
// waits for the other apiservers.
func retried(do func() error) error {
	return retry.OnError(retry.DefaultBackoff, func(err error) bool {
		return apierrors.IsConflict(err) || apierrors.IsServiceUnavailable(err)
	}, do)
}

func role(kind string, owner reconciliation.RuleOwner, client reconciliation.RuleOwnerModifier) Object {
	return reconciled(kind, owner, func() (Outcome, error) {
		options := reconciliation.ReconcileRoleOptions{Role: owner.DeepCopyRuleOwner(), Client: client, Confirm: true}
		result, err := options.Run()
		if err != nil {
			return "", err
		}
		return outcomeOf(result.Operation, result.Protected), nil
	})
}

func binding(kind string, b reconciliation.RoleBinding, client reconciliation.RoleBindingModifier) Object {
	return reconciled(kind, b, func() (Outcome, error) {
		options := reconciliation.ReconcileRoleBindingOptions{RoleBinding: b.DeepCopyRoleBinding(), Client: client, Confirm: true}
		result, err := options.Run()
		if err != nil {
			return "", err
		}
		return outcomeOf(result.Operation, result.Protected), nil
	})
}

// reconciled is the object of RBAC with o's name that reconcile makes as it has to be.
func reconciled(kind string, o named, reconcile func() (Outcome, error)) Object {
	return Object{
		Kind: rbacv1.SchemeGroupVersion.WithKind(kind), Namespace: o.GetNamespace(), Name: o.GetName(),
		ensure: func(context.Context) (outcome Outcome, err error) {
			err = retried(func() error {
				outcome, err = reconcile()
				return err
			})
			return outcome, err
		},
	}
}

func outcomeOf(operation reconciliation.ReconcileOperation, protected bool) Outcome {
	switch {
	case operation == reconciliation.ReconcileNone:
		return Unchanged
	case protected:
		return Protected
	case operation == reconciliation.ReconcileCreate:
		return Created
	}
	return Changed
}

// primeAggregated copies a role that is aggregated from others now, where somebody
// may have changed it, to the one that it is aggregated from
// (pkg/registry/rbac/rest/storage_rbac.go, primeAggregatedClusterRoles).
func primeAggregated(ctx context.Context, client kubernetes.Interface) error {
	roles := client.RbacV1().ClusterRoles()
	for from, to := range bootstrappolicy.ClusterRolesToAggregate() {
		if _, err := roles.Get(ctx, to, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			if err != nil {
				return err
			}
			continue
		}
		role, err := roles.Get(ctx, from, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return err
		case role.AggregationRule != nil:
			return nil // it has been done
		}
		role.Name, role.ResourceVersion = to, ""
		if _, err := roles.Create(ctx, role, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// primeSplit copies whom a binding binds that is two now
// (pkg/registry/rbac/rest/storage_rbac.go, primeSplitClusterRoleBindings).
func primeSplit(ctx context.Context, client kubernetes.Interface) error {
	bindings := client.RbacV1().ClusterRoleBindings()
	for from, template := range bootstrappolicy.ClusterRoleBindingsToSplit() {
		existing, err := bindings.Get(ctx, from, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err = bindings.Get(ctx, template.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			if err != nil {
				return err
			}
			continue
		}
		split := template.DeepCopy()
		split.Subjects, split.Labels, split.Annotations = existing.Subjects, existing.Labels, existing.Annotations
		if _, err := bindings.Create(ctx, split, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}
