// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

// percentNow is Go's GOGC.
func percentNow() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}

func TestCollector(t *testing.T) {
	defer debug.SetGCPercent(percentNow())
	is := func(want int) {
		t.Helper()
		if got := percentNow(); got != want {
			t.Errorf("GOGC is %d, want %d", got, want)
		}
	}

	c := newCollector(50)
	is(startPercent)
	if c.collectsFrom(1 << 40) {
		t.Error("a heap of a terabyte is taken to be there")
	}
	is(startPercent)
	c.awaitHeap(1)
	is(goPercent)
	c.rest()
	is(50)
	c.awaitHeap(1) // the start is over
	is(50)

	debug.SetGCPercent(77)
	c = newCollector(0)
	c.rest()
	is(77) // the user's own
}
