// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/khw-controller/khw-controller/pkg/crash"
	"github.com/khw-controller/khw-controller/pkg/logging"
)

// die ends the process with reason as its last line and in the crash report.
func die(reporter *crash.Reporter, reason string) {
	if err := reporter.Record(reason, debug.Stack()); err != nil {
		fmt.Fprintf(os.Stderr, "the crash report could not be written: %v\n", err)
	}
	logging.Flush()
	fmt.Fprintf(os.Stderr, "khw-controller: %s\n", reason)
	os.Exit(1)
}
