// SPDX-License-Identifier: Apache-2.0

package sigtermload

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// TestStopDuringAStart stops a controller that is on its way up: the stop is as
// orderly as any.
func TestStopDuringAStart(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	for name, reached := range map[string]func() bool{
		"the apiserver starts":       func() bool { return strings.Contains(c.Notify.Last("STATUS"), "kube-apiserver starting") },
		"the apiserver's port opens": func() bool { return process.Listening(c.Ports.APIServer) },
	} {
		c.Start()
		c.WithinAlive(c.Process, harness.Patience, name, func(context.Context) error {
			if !reached() {
				return errors.New(c.Notify.Last("STATUS"))
			}
			return nil
		})
		c.StopInOrder()
	}
	c.StartReady()
	c.StopInOrder()
}
