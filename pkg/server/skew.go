// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// skewEvery is how often the other controllers are asked for their time.
const skewEvery = 10 * time.Minute

// skewWarnings is which of the other controllers' clocks are not as this machine's.
// What was found last is good for a while.
func (o *observer) skewWarnings(ctx context.Context, r *status.Report, patience time.Duration) []string {
	if len(r.Controllers) < 2 { // none is known yet, or there is none
		known, _ := o.skew.known()
		return lines(known.Findings())
	}
	return lines(o.skew.recent(ctx, skewEvery, patience).Findings())
}

// findSkew asks them.
func (o *observer) findSkew(ctx context.Context) preflight.Skew {
	controllers, _ := o.controllers.known()
	others := slices.DeleteFunc(slices.Clone(controllers), func(address string) bool { return address == o.plan.AdvertisedAddress() })
	return preflight.MeasureSkew(ctx, o.plan, others)
}
