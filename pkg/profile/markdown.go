// SPDX-License-Identifier: Apache-2.0

package profile

import (
	"fmt"
	"io"
)

// example is the machine of the table: one of several controllers with one core and
// 1 GiB.
var example = Facts{CPUs: 1, Memory: 1 << 30, Cluster: true}

// WriteMarkdown prints the table of what each profile sets.
func WriteMarkdown(w io.Writer) error {
	for _, p := range All() {
		if _, err := fmt.Fprintf(w, "## `profile: %s`\n\n%s.\n\n| | flag or key | value | without | why |\n|---|---|---|---|---|\n", p.Name, capital(p.Doc)); err != nil {
			return err
		}
		for _, s := range p.Settings(example) {
			fmt.Fprintf(w, "| %s | `%s` | `%s` | `%s` | %s |\n", s.Of, s.Name, s.Value, s.Otherwise, s.Why)
		}
	}
	return nil
}

func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }
