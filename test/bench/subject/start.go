// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"context"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// startPatience is how long a start may take.
const startPatience = 3 * time.Minute

// milestones of a start.
var milestones = []struct {
	name    string
	reached func(context.Context, kubernetes.Interface) error
}{
	{"/readyz", cluster.Readyz},
	{"both leases", cluster.BothHeld},
	{"the default service account", cluster.DefaultServiceAccount},
}

// Started is how long a start took, in seconds.
type Started struct {
	Readyz, Leases, ServiceAccount float64
}

// StartReady starts the Subject and waits until the first service account is there.
func (r *Run) StartReady(ctx context.Context) (Started, error) {
	var started Started
	begun := time.Now()
	if err := r.Start(); err != nil {
		return started, err
	}
	for i, took := range []*float64{&started.Readyz, &started.Leases, &started.ServiceAccount} {
		m := milestones[i]
		if err := r.Await(ctx, startPatience, m.name, func(ctx context.Context) error { return m.reached(ctx, r.Client) }); err != nil {
			return started, err
		}
		*took = time.Since(begun).Seconds()
	}
	return started, nil
}

// StartReadyz starts the Subject and returns the seconds until /readyz says ok.
func (r *Run) StartReadyz(ctx context.Context) (float64, error) {
	begun := time.Now()
	if err := r.Start(); err != nil {
		return 0, err
	}
	err := r.Await(ctx, startPatience, "/readyz", func(ctx context.Context) error { return cluster.Readyz(ctx, r.Client) })
	return time.Since(begun).Seconds(), err
}
