// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/crash"
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
	restarts   map[string]bool // names of components that can be restarted
	reporter   *crash.Reporter
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
	i.die(fmt.Sprintf("a component ended the process with exit code %d; the reason is in the log above", code))
}

func (i *isolation) fault(reason error) bool {
	component := currentComponent()
	return i.restarts[component] && i.supervisor.Fault(component, reason)
}

// die ends the process with reason as its last line and in the crash report.
func (i *isolation) die(reason string) {
	if err := i.reporter.Record(reason, debug.Stack()); err != nil {
		fmt.Fprintf(os.Stderr, "the crash report could not be written: %v\n", err)
	}
	klog.Flush()
	fmt.Fprintf(os.Stderr, "khw-controller: %s\n", reason)
	os.Exit(1)
}

// labelLine matches the labels of one record of the goroutine profile.
var labelLine = regexp.MustCompile(`# labels: \{.*"` + supervisor.Label + `":"([^"]*)"`)

// currentComponent returns the component that the calling goroutine belongs to,
// or "". Goroutines inherit the label; only the profile shows it.
func currentComponent() string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	for _, record := range strings.Split(profile.String(), "\n\n") {
		if strings.Contains(record, "server.currentComponent") {
			if m := labelLine.FindStringSubmatch(record); m != nil {
				return m[1]
			}
		}
	}
	return ""
}
