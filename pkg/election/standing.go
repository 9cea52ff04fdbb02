// SPDX-License-Identifier: Apache-2.0

package election

import (
	"sync"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// standing tells of one term whether it may act: that it leads, and, as soon as its
// Fence is shut, that it does not any more. What it began may take a while to stop.
type standing struct {
	fence  *Fence
	report supervisor.Report
	mu     sync.Mutex // no word may overtake another
}

// lostAndStopping is what is said of a term that may not write any more.
var lostAndStopping = errLeaseLost.Error() + "; it may not write any more, and stops what it began"

// acting tells that the term leads, unless it is too late for that.
func (s *standing) acting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fence.Open() {
		s.report(supervisor.Leading, "")
	}
}

// shut tells that nothing is written any more.
func (s *standing) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report(supervisor.Starting, lostAndStopping)
}
