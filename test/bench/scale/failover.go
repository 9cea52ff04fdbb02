// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/bench/pairs"
	"github.com/khw-controller/khw-controller/test/bench/subject"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// failoverPatience is how long each step of a failover may take.
const failoverPatience = 5 * time.Minute

// measureFailover kills all processes and starts them again. A lease counts when it is
// held by another than before: the dead one's lasts its 15 s.
func measureFailover(ctx context.Context, r *subject.Run, all pairs.Figures) error {
	dead := map[string]string{}
	for _, lease := range cluster.Leases() {
		holder, err := cluster.Holder(ctx, r.Client, lease)
		if err != nil {
			return err
		}
		dead[lease] = holder
	}
	begun := time.Now()
	r.Kill()
	if err := r.Start(); err != nil {
		return err
	}
	for _, step := range []struct {
		row, what string
		done      func(context.Context) error
	}{
		{"readyz", "/readyz", func(ctx context.Context) error { return cluster.Readyz(ctx, r.Client) }},
		{"leases", "both leases", func(ctx context.Context) error { return takenOver(ctx, r, dead) }},
		{"pod", "a new pod to be bound", func(ctx context.Context) error { return bindOne(ctx, r) }},
	} {
		if err := r.Await(ctx, failoverPatience, step.what, step.done); err != nil {
			return err
		}
		all[step.row] = time.Since(begun).Seconds()
	}
	var err error
	if all["cpu-failover"], err = r.CPUSeconds(); err != nil {
		return err
	}
	if err := subject.Rest(ctx, settle); err != nil {
		return err
	}
	all["pss-failover"], err = subject.PSS(r.PIDs())
	return err
}

func takenOver(ctx context.Context, r *subject.Run, dead map[string]string) error {
	for lease, before := range dead {
		holder, err := cluster.Holder(ctx, r.Client, lease)
		if err != nil {
			return err
		}
		if holder == before {
			return fmt.Errorf("the lease %s is still that of the dead one", lease)
		}
	}
	return nil
}

// bindOne makes a pod, the first time, and returns nil when it is bound.
func bindOne(ctx context.Context, r *subject.Run) error {
	pods := r.Client.CoreV1().Pods(metav1.NamespaceDefault)
	pod, err := pods.Get(ctx, "after", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		pod, err = pods.Create(ctx, cluster.Pod("after"), metav1.CreateOptions{})
	}
	if err == nil && pod.Spec.NodeName == "" {
		err = errors.New("it is not")
	}
	return err
}
