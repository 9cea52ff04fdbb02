// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// leaseOf is the lease of a component's replica.
type leaseOf struct {
	component string
	lease     *election.LeaseHealth
}

// strain knows what tells that the machine is too slow for the timings in force.
type strain struct {
	plan   *plan.Plan
	leases []leaseOf
	pauses pauses
}

// warnings are what of the last hour tells so, and what would help at what price.
func (s *strain) warnings(r *status.Report) []string {
	var found []string
	for _, l := range s.leases {
		if late := l.lease.Late(); late.Times > 0 {
			found = append(found, fmt.Sprintf("the lease of %s was renewed late %s in the last hour, the worst after %s; it is lost after %s",
				l.component, times(late.Times), late.Worst.Round(100*time.Millisecond), late.Lost))
		}
	}
	if n, longest := s.pauses.recent(time.Now()); n > 0 {
		found = append(found, fmt.Sprintf("this process stood still %s in the last hour, for up to %s: it was paused, its machine was, or there was no CPU time",
			times(n), longest.Round(100*time.Millisecond)))
	}
	strained := len(found) > 0 || slices.ContainsFunc(r.Etcd.Members, status.SlowDisk)
	if strained && !slices.Contains(r.Profiles, profile.Edge) {
		found = append(found, fmt.Sprintf("`profile: %s` on every controller would bear that: leases last %s then, and so long nobody leads when a leader dies, which is %s now",
			profile.Edge, profile.EdgeLease, s.plan.LeaseDuration()))
	}
	return found
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
