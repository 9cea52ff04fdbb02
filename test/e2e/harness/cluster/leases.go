// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
)

// The leases that a replica of a component must hold to act.
const (
	ControllerManagerLease = "kube-controller-manager"
	SchedulerLease         = "kube-scheduler"
)

// Leases lists both.
func Leases() []string { return []string{ControllerManagerLease, SchedulerLease} }

// Lease reads one of Leases.
func Lease(ctx context.Context, c kubernetes.Interface, name string) (*coordinationv1.Lease, error) {
	return c.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
}

// Holder returns who holds a lease; it is an error when nobody does.
func Holder(ctx context.Context, c kubernetes.Interface, name string) (string, error) {
	l, err := Lease(ctx, c, name)
	if err != nil {
		return "", err
	}
	holder := ptr.Deref(l.Spec.HolderIdentity, "")
	if holder == "" {
		return "", fmt.Errorf("nobody holds the lease %s", name)
	}
	return holder, nil
}

// BothHeld returns nil when both leases are held.
func BothHeld(ctx context.Context, c kubernetes.Interface) error {
	for _, name := range Leases() {
		if _, err := Holder(ctx, c, name); err != nil {
			return err
		}
	}
	return nil
}

// Steal writes another holder into one of Leases, who never renews it.
func Steal(ctx context.Context, c kubernetes.Interface, name, thief string) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		l, err := Lease(ctx, c, name)
		if err != nil {
			return err
		}
		now := metav1.NowMicro()
		l.Spec.HolderIdentity, l.Spec.AcquireTime, l.Spec.RenewTime = &thief, &now, &now
		_, err = c.CoordinationV1().Leases(metav1.NamespaceSystem).Update(ctx, l, metav1.UpdateOptions{})
		return err
	})
}

// BothRenewed returns nil when both leases are held by somebody who has renewed them
// within that time.
func BothRenewed(ctx context.Context, c kubernetes.Interface, within time.Duration) error {
	for _, name := range Leases() {
		l, err := Lease(ctx, c, name)
		if err != nil {
			return err
		}
		if l.Spec.RenewTime == nil || time.Since(l.Spec.RenewTime.Time) > within {
			return fmt.Errorf("the lease %s is not renewed", name)
		}
	}
	return BothHeld(ctx, c)
}
