// SPDX-License-Identifier: Apache-2.0

package election

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLateRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(LeaseHealth)
		h.expect("kube-system/test", 2*time.Second, 12*time.Second)
		wants := func(when string, times int, worst time.Duration) {
			t.Helper()
			if got := h.Late(); got != (Late{Times: times, Worst: worst, Lost: 12 * time.Second}) {
				t.Errorf("%s: %+v", when, got)
			}
		}
		renewAfter := func(d time.Duration) { time.Sleep(d); h.renewed(time.Now()) }
		renewAfter(time.Minute) // it is won
		renewAfter(2 * time.Second)
		renewAfter(6 * time.Second)
		wants("in time", 0, 0)
		renewAfter(7 * time.Second)
		wants("late", 1, 7*time.Second)
		renewAfter(9 * time.Second)
		time.Sleep(12 * time.Second)
		h.expired()
		wants("lost", 3, 12*time.Second)
		renewAfter(time.Minute) // won again
		wants("won again", 3, 12*time.Second)
		h.ended() // released
		renewAfter(time.Minute)
		wants("released and won again", 3, 12*time.Second)
		time.Sleep(time.Hour - 3*time.Minute)
		wants("not an hour later", 3, 12*time.Second)
		time.Sleep(2 * time.Minute)
		wants("an hour later", 0, 0)
	})
}
