// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Marks are the signs before each step, and before what to do next.
type Marks struct{ Passed, Failed, Skipped, Differs, Next string }

// The marks for terminals and files that have Unicode, and for those that do not.
var (
	Unicode = Marks{"✔", "✘", "–", "≠", "→"}
	ASCII   = Marks{"[ok]", "[FAILED]", "[-]", "[lab]", "->"}
)

// WriteResult prints one result for people.
func WriteResult(w io.Writer, r Result, m Marks) {
	r = printable(r)
	mark := map[Outcome]string{Passed: m.Passed, Failed: m.Failed, Skipped: m.Skipped, Differs: m.Differs}[r.Outcome]
	if r.Outcome == Skipped {
		fmt.Fprintf(w, "%s %s: %s\n", mark, r.Step, r.Skipped)
		return
	}
	fmt.Fprintf(w, "%s %s\n", mark, r.Step)
	for _, line := range r.Output {
		fmt.Fprintln(w, strings.TrimRight("    "+line, " "))
	}
	if r.Differs != "" {
		fmt.Fprintf(w, "    %s\n", r.Differs)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "    %s\n    %s %s\n", f.Problem, m.Next, f.Next)
	}
}

// printable returns r without what would move a terminal's cursor: names in
// certificates and headers are written by others.
func printable(r Result) Result {
	clean := func(s string) string {
		return strings.Map(func(c rune) rune {
			if unicode.IsControl(c) && c != '\t' {
				return '?'
			}
			return c
		}, s)
	}
	output, failures := make([]string, len(r.Output)), make([]Failure, len(r.Failures))
	for i, line := range r.Output {
		output[i] = clean(line)
	}
	for i, f := range r.Failures {
		failures[i] = Failure{clean(f.Problem), clean(f.Next)}
	}
	r.Output, r.Failures = output, failures
	return r
}

// WriteSummary prints the last line.
func WriteSummary(w io.Writer, results []Result) {
	fmt.Fprintf(w, "%d steps: %d passed, %d failed, %d skipped\n",
		len(results), Count(results, Passed), Count(results, Failed), Count(results, Skipped))
}
