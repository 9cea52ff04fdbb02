// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// TestWhatWorksAgainDoesNotSayWhatItSaidBefore wants the line to tell what is over.
func TestWhatWorksAgainDoesNotSayWhatItSaidBefore(t *testing.T) {
	before := supervisor.Status{Component: "bootstrap", State: supervisor.Leading, Detail: "3 objects applied", Unhealthy: "putting back x: refused"}
	now := before
	now.Unhealthy = ""
	line := logged(t, func() { logEvent(supervisor.Event{Status: now, Before: before}) })
	if !strings.Contains(line, `"Component works again" component="bootstrap" after="putting back x: refused"`) || strings.Contains(line, "applied") {
		t.Errorf("it says %q", line)
	}
}
