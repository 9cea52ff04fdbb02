// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// isolation keeps the trouble of one component from ending the process.
//
// Kubernetes' components were written to own their process: they panic again
// after recovering (utilruntime.HandleCrash) and leave through klog.Fatal and
// klog.FlushAndExit. Both pass through variables that klog and apimachinery
// export for this. A component that can be restarted is restarted; anything
// else ends the process with a report.
type isolation struct {
	supervisor *supervisor.Supervisor
	// fatal ends the process and does not return.
	fatal func(reason string)
}

func (i *isolation) install() {
	utilruntime.PanicHandlers = append(utilruntime.PanicHandlers, i.onPanic)
	klog.OsExit = i.onExit
}

// onPanic is called by HandleCrash before it panics again. When the goroutine
// is one of a component that can be restarted, it ends here instead.
func (i *isolation) onPanic(_ context.Context, r any) {
	if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return // not a failure: it aborts one response
	}
	if i.fault(fmt.Errorf("panic: %v", r)) {
		runtime.Goexit()
	}
}

// onExit stands in for os.Exit in klog. Its callers do not expect it to return.
func (i *isolation) onExit(code int) {
	if i.fault(fmt.Errorf("it wanted to end the process with exit code %d; the reason is in the log above", code)) {
		runtime.Goexit()
	}
	if i.supervisor.Stopping() {
		// What a stop cuts off may take that for a failure, and it ends anyway.
		runtime.Goexit()
	}
	i.fatal(fmt.Sprintf("a component ended the process with exit code %d; the reason is in the log above", code))
}

// fault reports whether the component of this goroutine is run again because of
// reason.
func (i *isolation) fault(reason error) bool {
	return i.supervisor.Fault(supervisor.CurrentComponent(), reason)
}
