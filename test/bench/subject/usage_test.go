// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"os"
	"testing"
)

func TestUsageIsThatOfAllProcesses(t *testing.T) {
	pid := os.Getpid()
	before, err := CPUSeconds([]int{pid})
	if err != nil {
		t.Fatal(err)
	}
	spent, err := CPUDuring(func() (float64, error) { return CPUSeconds([]int{pid}) }, func() error {
		for { // ticks are 10 ms
			now, err := CPUSeconds([]int{pid})
			if err != nil || now > before+0.05 {
				return err
			}
		}
	})
	if err != nil || spent < 0.04 {
		t.Errorf("%v s were used, %v", spent, err)
	}
	one, err := PSS([]int{pid})
	if err != nil || one < 1 {
		t.Fatalf("%v MB, %v", one, err)
	}
	if two, err := PSS([]int{pid, pid}); err != nil || two < one*1.5 {
		t.Errorf("twice the same process: %v MB, and once %v MB, %v", two, one, err)
	}
}

func TestUsageOfNoProcess(t *testing.T) {
	const none = 1 << 30 // beyond any pid_max
	if _, err := CPUSeconds([]int{none}); err == nil {
		t.Error("CPUSeconds: no error")
	}
	if _, err := PSS([]int{none}); err == nil {
		t.Error("PSS: no error")
	}
}
