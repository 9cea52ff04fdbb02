// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"
	"strings"
)

// Tail returns the last lines of the process's log.
func (p *Process) Tail(lines int) string {
	all := p.Lines()
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Lines returns the process's log so far.
func (p *Process) Lines() []string {
	data, err := os.ReadFile(p.Log)
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Split(strings.TrimRight(string(data), "\n"), "\n")
}
