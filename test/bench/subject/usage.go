// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticks is how many clock ticks the kernel counts per second (USER_HZ).
const ticks = 100

// CPUSeconds is the CPU time that processes have used, their children's included
// that have ended.
func CPUSeconds(pids []int) (float64, error) {
	total := 0.0
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// The name in parentheses may hold spaces.
		f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		for _, field := range f[11:15] { // utime, stime, cutime, cstime
			n, err := strconv.Atoi(field)
			if err != nil {
				return 0, err
			}
			total += float64(n) / ticks
		}
	}
	return total, nil
}

// PSS is the memory of processes in MB: what several of them map counts once.
func PSS(pids []int) (float64, error) {
	total := 0.0
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
			if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "Pss:" {
				kb, err := strconv.Atoi(f[1])
				if err != nil {
					return 0, err
				}
				total += float64(kb) / 1024
			}
		}
	}
	return total, nil
}

// CPUDuring returns the CPU seconds that are used while do does its work, by whose use
// is read with used.
func CPUDuring(used func() (float64, error), do func() error) (float64, error) {
	before, err := used()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := used()
	return after - before, err
}
