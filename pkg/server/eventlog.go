// SPDX-License-Identifier: Apache-2.0

package server

import (
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// logEvent writes an event as one log line.
func logEvent(e supervisor.Event) {
	kv := []any{"component", e.Component}
	if e.Detail != "" {
		kv = append(kv, "detail", e.Detail)
	}
	switch {
	case e.State == supervisor.Failed || e.State == supervisor.Restarting:
		klog.ErrorS(nil, "Component is "+string(e.State), kv...)
	case e.State != e.Before.State || e.Detail != e.Before.Detail:
		klog.InfoS("Component is "+string(e.State), kv...)
	case e.Unhealthy != "":
		klog.ErrorS(nil, "Component does not work", append(kv, "reason", e.Unhealthy)...)
	case e.Before.Unhealthy != "":
		// The detail is of its state, which has not changed by that.
		klog.InfoS("Component works again", "component", e.Component, "after", e.Before.Unhealthy)
	}
}
