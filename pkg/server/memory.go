// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime/debug"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// limitMemory has Go collect its garbage before the kernel holds the process back or
// ends it.
func limitMemory(p *plan.Plan) {
	if p.MemoryLimit == 0 {
		return
	}
	debug.SetMemoryLimit(p.MemoryLimit)
	klog.InfoS("Go's memory is limited to what the machine leaves it", "limitMiB", p.MemoryLimit>>20, "ofMiB", p.Machine.Usable()>>20)
}
