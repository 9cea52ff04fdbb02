// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// TestSetClock runs this test program anew, to have it say what time it is.
func TestSetClock(t *testing.T) {
	const asked = "SAY_THE_TIME"
	if os.Getenv(asked) != "" {
		for range 3000 { // until it is killed
			fmt.Println(time.Now().Unix())
			time.Sleep(20 * time.Millisecond)
		}
		return
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("amd64 only")
	}
	e := harness.New(t)
	self, err := os.Executable()
	e.Must(err)
	p := e.Start("clock", process.Spec{Path: self, Args: []string{"-test.run=^TestSetClock$"}, Env: []string{asked + "=1"}})
	says := func(ahead time.Duration) {
		e.Helper()
		e.Eventually(fmt.Sprintf("a clock %s ahead", ahead), func(context.Context) error {
			said, err := strconv.ParseInt(p.Tail(1), 10, 64)
			if err != nil {
				return err
			}
			if off := time.Until(time.Unix(said, 0).Add(-ahead)).Abs(); off > 30*time.Second {
				return fmt.Errorf("it is off by %s", off)
			}
			return nil
		})
	}
	says(0)
	for _, ahead := range []time.Duration{5 * time.Minute, -5 * time.Minute} {
		back, err := process.SetClock(p.PID(), ahead)
		e.Must(err)
		says(ahead)
		e.Must(back())
		says(0)
	}
}
