// SPDX-License-Identifier: Apache-2.0

package defaults

import (
	"context"

	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	schedulingapi "k8s.io/kubernetes/pkg/apis/scheduling/v1"
)

// EnsurePriorityClasses makes all of [PriorityClasses] that are missing
// (k8s.io/kubernetes, pkg/registry/scheduling/rest, AddSystemPriorityClasses).
func EnsurePriorityClasses(ctx context.Context, client kubernetes.Interface) error {
	for _, o := range PriorityClasses(client) {
		if _, err := o.Ensure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// PriorityClasses returns Kubernetes' own priority classes.
func PriorityClasses(client kubernetes.Interface) []Object {
	var all []Object
	classes := client.SchedulingV1().PriorityClasses()
	for _, class := range schedulingapi.SystemPriorityClasses() {
		o := Object{Kind: schedulingv1.SchemeGroupVersion.WithKind("PriorityClass"), Name: class.Name}
		o.ensure = func(ctx context.Context) (Outcome, error) {
			_, err := classes.Get(ctx, class.Name, metav1.GetOptions{})
			if !apierrors.IsNotFound(err) {
				return Unchanged, err
			}
			_, err = classes.Create(ctx, class, metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) {
				return Unchanged, nil
			}
			return Created, err
		}
		all = append(all, o)
	}
	return all
}
