// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// WriteCommands prints what is pending as lines for a shell and the cloud's own
// tool, in order.
func (p *Plan) WriteCommands(w io.Writer) error {
	fmt.Fprintf(w, "# %s: %s\n", p.cloud.Where(), p.summary())
	if p.Pending() == 0 {
		return nil
	}
	fmt.Fprintln(w, "set -e")
	for _, line := range p.cloud.Preamble() {
		fmt.Fprintln(w, line)
	}
	for _, s := range p.Steps {
		if !s.Pending() {
			continue
		}
		c, ok := s.resource.(Commander)
		if !ok {
			return fmt.Errorf("there are no commands to %s %s", s.Action, s)
		}
		if lines := c.Commands(s.Action); len(lines) > 0 {
			fmt.Fprintf(w, "\n# %s %s\n%s\n", s.Action, s, strings.Join(lines, "\n"))
		}
	}
	return nil
}

// plain needs no quotes in any shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote writes a word so that a shell reads it as it is.
func Quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
