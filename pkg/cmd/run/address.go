// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/preflight"
)

// Pace of looking for an address, and for how long the service manager is asked
// each time.
const (
	lookEvery = 2 * time.Second
	extendBy  = 30 * time.Second
)

// awaitAddress makes the plan, once the machine has an address to advertise: a
// network may come up after the service. There is no plan and no error when ctx
// ends first.
func awaitAddress(ctx context.Context, n notify.Notifier, next func() (*plan.Plan, error)) (*plan.Plan, error) {
	for waiting := false; ; waiting = true {
		p, err := next()
		if !errors.Is(err, address.ErrNotFound) {
			return p, err
		}
		found := preflight.NoAddress(err)
		if !waiting {
			klog.InfoS("Waiting", "for", found.String())
		}
		n.Status("starting: waits: " + found.Subject + " " + found.Problem)
		n.ExtendTimeout(extendBy)
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(lookEvery):
		}
	}
}
