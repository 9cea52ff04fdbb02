// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// watchdog tells the service manager's watchdog that the process is alive where
// it counts: the supervisor can be asked, and the apiserver answers a question
// that takes neither etcd nor a disk. An etcd that is slow, stuck or dead is no
// reason to be silent: a restart would not mend it.
type watchdog struct {
	// interval is how long the service manager waits before it ends the process.
	interval time.Duration
	tell     func()
	statuses func() []supervisor.Status
	ping     func(context.Context) error
}

// tries is how many times per interval the process may show that it is alive.
const tries = 4

// run tells it until ctx ends. Where nobody watches it does nothing.
func (w *watchdog) run(ctx context.Context) {
	if w.interval == 0 {
		return
	}
	every := w.interval / tries
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := w.alive(ctx, every); err == nil {
			w.tell()
		} else if ctx.Err() == nil {
			klog.ErrorS(err, "The service manager's watchdog was not told that all is well; it restarts the process in the end", "interval", w.interval)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// alive returns nil when the process works, or is on its way up or down. A
// supervisor that does not answer keeps it from returning.
func (w *watchdog) alive(ctx context.Context, patience time.Duration) error {
	for _, s := range w.statuses() {
		if s.Component == string(lab.APIServer) && !s.State.Up() {
			// A start has a time-out of its own, and so has a stop.
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := w.ping(ctx); err != nil {
		return fmt.Errorf("%s: %w", lab.APIServer, err)
	}
	return nil
}
