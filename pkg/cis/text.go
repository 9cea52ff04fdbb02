// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"fmt"
	"io"

	"github.com/khw-controller/khw-controller/pkg/verify"
)

// sections are the benchmark's parts, by what the numbers of their items begin with.
var sections = []struct{ prefix, title string }{
	{"1.1.", "Files of the control plane"},
	{"1.2.", "API server"},
	{"1.3.", "Controller manager"},
	{"1.4.", "Scheduler"},
	{"2.", "etcd"},
	{"3.1.", "Authentication"},
	{"3.2.", "Audit log"},
	{"5.1.", "RBAC and service accounts"},
	{"5.2.", "Pod Security Standards"},
	{"5.3.", "Network policies"},
	{"5.4.", "Secrets"},
	{"5.5.", "Admission"},
	{"5.6.", "Other policies"},
}

// Plain are the results as those of any verification.
func Plain(results []Result) []verify.Result {
	plain := make([]verify.Result, 0, len(results))
	for _, r := range results {
		plain = append(plain, r.Result)
	}
	return plain
}

// Write prints results for people, in their sections, and what came of all of them.
func Write(w io.Writer, results []Result, m verify.Marks) error {
	fmt.Fprintln(w, Benchmark)
	section := ""
	for _, r := range results {
		if title := Section(r.ID); title != section {
			section = title
			fmt.Fprintf(w, "\n%s\n", section)
		}
		verify.WriteResult(w, r.Result, m)
	}
	plain := Plain(results)
	_, err := fmt.Fprintf(w, "\n%d items: %d passed, %d failed, %d as the lab has it, %d skipped\n", len(results),
		verify.Count(plain, verify.Passed), verify.Count(plain, verify.Failed), verify.Count(plain, verify.Differs), verify.Count(plain, verify.Skipped))
	return err
}

// Section is the title of the part of the benchmark that an item is in.
func Section(id string) string {
	for _, s := range sections {
		if len(id) > len(s.prefix) && id[:len(s.prefix)] == s.prefix {
			return s.title
		}
	}
	return ""
}
