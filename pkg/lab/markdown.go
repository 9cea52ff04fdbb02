// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteMarkdown prints the tables for the documentation.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# The lab's flags and their status\n\nEvery flag of the lab's three units, in the lab's order, and what it is in this Kubernetes.\n" +
		"This page is printed by `make docs`; `khw-controller flags` shows the values in force on a controller.\n\n" +
		"*Seen in* is the newest release of Kubernetes that has the flag, of those whose own flags the table was compared with: " +
		strings.Join(releasesSeen(), ", ") + ". A test makes that comparison.\n")
	for _, c := range Components() {
		fmt.Fprintf(&b, "\n## %s\n\n| flag | the lab's value | current flag | status | seen in | why |\n|---|---|---|---|---|---|\n", c)
		for _, f := range Flags(c) {
			current := ""
			if f.Current != "" {
				current = code("--" + f.Current + "=" + f.CurrentValue)
			}
			fmt.Fprintf(&b, "| `--%s` | %s | %s | %s | %s | %s |\n", f.Name, code(f.Value), current, statusText(f), f.Seen, f.Why)
		}
	}
	writeUnsetting(&b)
	writeRemoved(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeUnsetting(b *strings.Builder) {
	b.WriteString("\n## Giving a flag up\n\n`name-` instead of `name=value`, in `--kube-apiserver-arg` and its like or in the config file, gives a flag up: " +
		"the component gets neither the lab's value nor, from a flag, the config file's.\n\n" +
		"Where Kubernetes refuses one of the lab's flags beside a flag that you set, the lab's steps back by itself:\n\n" +
		"| component | with | steps back | why |\n|---|---|---|---|\n")
	for _, e := range exclusions {
		fmt.Fprintf(b, "| %s | `--%s` | `--%s` | %s |\n", e.component, e.set, strings.Join(e.others, "`, `--"), e.why)
	}
	fmt.Fprintf(b, "| %s | `--%s` | what it names in `--%s` | kube-apiserver refuses a plugin that is in both lists. |\n", APIServer, disableAdmission, enableAdmission)
}

func writeRemoved(b *strings.Builder) {
	b.WriteString("\n## Flags that were removed since v1.10\n\nA removed flag is translated to its successor, ignored with a notice when nothing is lost by that, or refused.\n")
	for _, c := range Components() {
		fmt.Fprintf(b, "\n### %s\n\n| flag | seen in | removed in | what becomes of it | why |\n|---|---|---|---|---|\n", c)
		for _, r := range RemovedFlags(c) {
			fmt.Fprintf(b, "| `--%s` | %s | %s | %s | %s |\n", r.Name, seenIn(c, r.Name), r.Release, r.outcome(), r.Why)
		}
	}
}

// outcome says what becomes of a removed flag.
func (r Removed) outcome() string {
	switch {
	case r.Current != "":
		return "is " + code("--"+r.Current)
	case slices.Contains(r.Harmless, anyValue):
		return "ignored"
	case slices.Equal(r.Harmless, []string{""}):
		return "refused"
	}
	var values []string
	for _, v := range r.Harmless {
		if v != "" {
			values = append(values, code(v))
		}
	}
	return strings.Join(values, ", ") + " ignored, else refused"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
