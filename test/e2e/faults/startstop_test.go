// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// cycles are those of TestStartAndStop; CYCLES and SEED choose others.
const (
	cycles = 200
	seed   = 15
)

// bySignal is the exit code of a process that a signal has ended.
const bySignal = -1

// TestStartAndStop stops a controller at random points of its start, and up to two
// seconds after it: it ends in order and has nothing to complain about.
func TestStartAndStop(t *testing.T) {
	if !chosen("one controller", "starts and stops") {
		t.Skip("make e2e-faults runs it")
	}
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady() // the first start, which makes keys, takes longer than those that follow
	c.StopInOrder()
	began := time.Now()
	c.StartReady()
	takes := time.Since(began)
	c.StopInOrder()
	random := rand.New(rand.NewPCG(number(t, "SEED", seed), 0))
	complaints, early := map[string]int{}, 0
	for range number(t, "CYCLES", cycles) {
		c.Start()
		after := time.Duration(random.Int64N(int64(takes + 2*time.Second)))
		over := time.Now().Add(after)
		c.WithinAlive(c.Process, after+harness.Patience, "the moment to stop it", func(context.Context) error {
			if time.Now().Before(over) {
				return errors.New(c.Notify.Last("STATUS"))
			}
			return nil
		})
		status := c.Notify.Last("STATUS")
		code, err := c.Process.Stop(harness.Patience)
		e.Must(err)
		switch said := c.Process.Tail(1); {
		// Go ends a program by SIGTERM whose packages are still being initialized.
		case code == bySignal && said == "":
			early++
		case code != 0:
			e.Fatalf("stopped %s after its start (status %q), it ends with exit code %d; its last line: %s", after.Round(time.Millisecond), status, code, said)
		}
		for _, l := range c.ErrorLines() {
			_, what, _ := strings.Cut(l, "] ")
			if complaints[what]++; complaints[what] == 1 {
				t.Errorf("stopped %s after its start (status %q), it logs: %s", after.Round(time.Millisecond), status, l)
			}
		}
	}
	t.Logf("%d times it was stopped before it began", early)
	for what, n := range complaints {
		t.Logf("%d× %s", n, what)
	}
	c.StartReady()
	c.StopInOrder()
}

// number is a number of the environment, for one that has a default.
func number(t *testing.T, name string, value uint64) uint64 {
	t.Helper()
	if text := os.Getenv(name); text != "" {
		var err error
		if value, err = strconv.ParseUint(text, 10, 63); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return value
}
