// SPDX-License-Identifier: Apache-2.0

package profile

import (
	"fmt"
	"io"
	"strings"
)

// example is the machine of the table: one of several controllers with one core and
// 1 GiB.
var example = Facts{CPUs: 1, Memory: 1 << 30, Cluster: true}

const intro = `# Profiles: settings that belong together

` + "```yaml\nprofile: edge        # in khw-controller.yaml, or --profile=edge; edge,cis for both\n```" + `

A profile sets flags of the components and keys of the config file, below yours: what you set yourself, in the file or by a flag, is as
you set it, and so is what your ` + "`kube-scheduler.yaml`" + ` says of its election. ` + "`khw-controller flags`" + ` shows what came of it, with
` + "`profile edge`" + ` under SET BY. Several are named with commas; of two that set one flag, the last one counts.

**Every controller of a cluster should have the same.** Change one after the other, with a restart each; meanwhile all is well, as
a replica goes by the duration in the lease that it waits for. ` + "`khw-controller status --all`" + ` says when they differ.

This page is printed by ` + "`make docs`" + `.

`

// edgeNotes are what there is to know of edge beyond its settings.
const edgeNotes = `
The values are those of a machine with one core and 1 GiB that is one of several controllers.

### When it helps, and what it costs

` + "`khw-controller status`" + ` warns when in the last hour a lease was renewed late or lost, the process stood still, or etcd's disk was so slow that leases
are lost on it, and says what edge would bear. What it costs is time: a leader that **dies** is missed for a minute instead of 15 seconds, and
an etcd leader for 5 to 10 seconds instead of 1 to 2. One that is stopped in order hands over at once, as ever. A load balancer hears ten seconds later of
an apiserver that hangs.

### Memory

Go's memory limit follows the unit, with or without a profile, unless ` + "`GOMEMLIMIT`" + ` is set: a tenth, and at least 160 MiB, below ` +
	"`MemoryHigh`" + ` or
` + "`MemoryMax`" + `, whichever is lower. With edge and neither of them, below three quarters of the machine's memory. On a machine that runs other things:

` + "```ini\n# systemctl edit khw-controller\n[Service]\nMemoryHigh=700M\nMemoryMax=800M\n```" + `

At MemoryHigh the kernel slows the process down, at MemoryMax it ends it; ` + "`khw_memory_limit_bytes`" + ` says where that is. What more is asked of the
apiserver than the profile lets in waits, or is answered with 429, which clients repeat. Under a flood of 500 lists at a time of 4,000 ConfigMaps (5 KiB each),
on one core and with a limit of 800 MiB, a controller took 681 MiB at most and was not killed, and nobody else came to lead; 1,197 lists were served, 1,089 answered
with 429 and a Retry-After. None of 39 health checks said no, a lease was renewed after 6.6 s at most, and the slowest of 36 commands of the admin took 1.8 s
(one run of two that were alike, with ` + "`make bench-edge`" + `).
`

// WriteMarkdown prints what each profile sets.
func WriteMarkdown(w io.Writer) error {
	if _, err := io.WriteString(w, intro); err != nil {
		return err
	}
	for i, p := range All() {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := fmt.Fprintf(w, "## `profile: %s`\n\n%s.\n\n| | flag or key | value | without | why |\n|---|---|---|---|---|\n", p.Name, capital(p.Doc)); err != nil {
			return err
		}
		for _, s := range p.Settings(example) {
			fmt.Fprintf(w, "| %s | `%s` | %s | %s | %s |\n", s.Of, s.Name, cell(s.Value), cell(s.Otherwise), s.Why)
		}
		if _, err := io.WriteString(w, p.notes); err != nil {
			return err
		}
	}
	return nil
}

// cell is a value in a table; a list may be broken after each comma.
func cell(value string) string {
	if value == "" {
		return "none"
	}
	return "`" + strings.ReplaceAll(value, ",", ",` `") + "`"
}

func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }
