// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/khw-controller/khw-controller/pkg/preflight"
)

// storedEvery is how often a part of what is stored is read, to find what this
// controller's encryption configuration cannot read: another controller with
// another key has written it.
const storedEvery = 10 * time.Minute

// storedTimeout is what reading it may take.
const storedTimeout = 10 * time.Second

// storedProblems is what the encryption configuration, as it is on the disk, cannot
// read of what is stored. What was found last is good for a while.
func (o *observer) storedProblems(ctx context.Context, patience time.Duration) []string {
	return o.stored.recent(ctx, storedEvery, patience)
}

// findUnreadable reads a part of what is stored. Without an answer, what was known
// stays.
func (o *observer) findUnreadable(ctx context.Context) []string {
	known, _ := o.stored.known()
	found, err := preflight.Stored(ctx, o.plan)
	if err != nil {
		return known
	}
	return lines(found)
}

// lines are findings as they are told.
func lines(found []preflight.Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, f.String())
	}
	return all
}
