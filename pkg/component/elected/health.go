// SPDX-License-Identifier: Apache-2.0

package elected

import (
	"context"

	"github.com/khw-controller/khw-controller/pkg/denial"
	"github.com/khw-controller/khw-controller/pkg/election"
)

// Health is what the supervisor asks for the health of a replica.
type Health struct {
	// Lease is how its lease is doing.
	Lease election.LeaseHealth
	// Rights is what it is denied. Every client of a term looks out for that.
	Rights denial.Rights
}

// Healthy returns why the replica cannot do its work, or nil. A right that it lacks
// may be why it cannot have its lease, and is told first.
func (h *Health) Healthy(ctx context.Context) error {
	if err := h.Rights.Healthy(ctx); err != nil {
		return err
	}
	return h.Lease.Healthy(ctx)
}
