// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// percentNow is Go's GOGC.
func percentNow() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}

func TestCollector(t *testing.T) {
	defer debug.SetGCPercent(percentNow())
	begun := time.Now()
	becomes := func(want int) {
		t.Helper()
		for percentNow() != want {
			if time.Since(begun) > time.Minute {
				t.Fatalf("GOGC is %d, want %d", percentNow(), want)
			}
			runtime.Gosched()
		}
	}

	c := newCollector(50)
	becomes(startPercent)
	runtime.GC()
	becomes(goPercent) // after the first collection
	c.rest()
	becomes(50)

	// The first collection may as well be that of the rest, and the clean-up after it
	// comes when it likes.
	c = newCollector(50)
	c.rest()
	c.collected()
	becomes(50)

	debug.SetGCPercent(77)
	c = newCollector(0)
	c.rest()
	becomes(77) // the user's own
}
