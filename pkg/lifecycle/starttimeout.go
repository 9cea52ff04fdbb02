// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// Pace of asking for more time.
const (
	extendEvery = 10 * time.Second
	extendBy    = 30 * time.Second
)

// startTimeout asks the service manager for more time while the start makes
// progress, which it does as long as the process computes or uses its disk:
// replaying a long log does, a deadlock does not.
type startTimeout struct {
	started func() bool         // reports whether the start is over
	work    func() int64        // counts what the process has done so far
	extend  func(time.Duration) // asks for that much more time
}

// run asks every so often until the start is over or ctx ends.
func (t *startTimeout) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := t.work()
	for !t.started() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := t.work(); now > before {
			before = now
			t.extend(extendBy)
		}
	}
}

// workDone counts what the process has done so far, in hundreds of milliseconds of
// CPU time and blocks of disk.
func workDone() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		klog.ErrorS(fmt.Errorf("getrusage: %w", err), "Progress cannot be measured")
		return 0
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return int64(cpu/(100*time.Millisecond)) + u.Inblock + u.Oublock
}
