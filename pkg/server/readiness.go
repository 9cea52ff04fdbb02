// SPDX-License-Identifier: Apache-2.0

package server

import (
	"sync/atomic"

	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// readiness is what the health proxy answers without asking the apiserver: that
// it is not up yet, or that a stop has begun. The zero value is starting.
type readiness struct {
	apiServerUp, stopping atomic.Bool
}

// onEvent follows the apiserver.
func (r *readiness) onEvent(e supervisor.Event) {
	if e.Component == string(lab.APIServer) {
		r.apiServerUp.Store(e.State.Up())
	}
}

// stop makes the answer no from now on.
func (r *readiness) stop() { r.stopping.Store(true) }

// notReady returns why the answer is no whatever the apiserver says, or "".
func (r *readiness) notReady() healthz.Verdict {
	switch {
	case r.stopping.Load():
		return healthz.Stopping
	case !r.apiServerUp.Load():
		return healthz.Starting
	}
	return ""
}
