// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"sync/atomic"

	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Readiness is what the health proxy answers without asking the apiserver: that
// it is not up yet, or that a stop has begun. The zero value is starting.
type Readiness struct {
	apiServerUp, stopping atomic.Bool
}

// OnEvent follows the apiserver.
func (r *Readiness) OnEvent(e supervisor.Event) {
	if e.Component == string(lab.APIServer) {
		r.apiServerUp.Store(e.State.Up())
	}
}

// stop makes the answer no from now on.
func (r *Readiness) stop() { r.stopping.Store(true) }

// NotReady returns why the answer is no whatever the apiserver says, or "".
func (r *Readiness) NotReady() healthz.Verdict {
	switch {
	case r.stopping.Load():
		return healthz.Stopping
	case !r.apiServerUp.Load():
		return healthz.Starting
	}
	return ""
}
