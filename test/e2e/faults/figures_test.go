// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/faults/checker"
)

// row is what a fault cost.
type row struct {
	fault string
	kind  kind
	lasts time.Duration
	// kept and fresh are the clients on kept and on new connections: all of their
	// requests, and the longest that one of them was not served.
	kept, fresh checker.Service
	// idle is the longest that no pod was put on a node.
	idle time.Duration
	// back is from the undoing until all were whole, and everybody was served.
	back time.Duration
	// relists and fell count what is no error: watches that had to begin anew, and
	// processes that ended by themselves.
	relists, fell int
	// down is how often the balancer has found, at most, that one controller does not
	// serve, and logged how many lines one has logged, until it was undone.
	down, logged int
	// These are never excused.
	lost, stale, gaps, actors, duplicates int
}

// count takes what clients saw between two moments.
func (r *row) count(c *checker.Checker, from, to time.Time) {
	for client, s := range checker.Served(c.Ops(), from, to) {
		sum := &r.fresh
		if strings.HasPrefix(client, "kept") {
			sum = &r.kept
		}
		sum.Asked += s.Asked
		sum.Failed += s.Failed
		sum.Without = max(sum.Without, s.Without)
	}
	r.idle = checker.Idle(c.Bound(), from, to)
}

// tabular is the table.
func tabular(rows []row) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| fault\t| lasts\t| controllers\t| without service: kept, new connections\t| failed requests: kept, new\t| no pod bound for\t| whole again after\t| ended by themselves\t| found down, each at most\t| lines logged by one\t| writes lost\t| gaps in watches\t| stale reads\t| two acted\t| two pods for one\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s, %s\t| %d of %d, %d of %d\t| %s\t| %s\t| %s\t| %d\t| %s\t| %d\t| %d\t| %d\t| %d\t| %d\t|\n", r.fault, r.lasts, r.kind,
			seconds(r.kept.Without), seconds(r.fresh.Without), r.kept.Failed, r.kept.Asked, r.fresh.Failed, r.fresh.Asked,
			seconds(r.idle), seconds(r.back), ofProcesses(r, r.fell), r.down, ofProcesses(r, r.logged), r.lost, r.gaps, r.stale, r.actors, r.duplicates)
	}
	_ = w.Flush() // of a buffer
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// ofProcesses is a count of what processes did, which of those on machines are not seen.
func ofProcesses(r row, n int) string {
	if r.kind == machines {
		return "?"
	}
	return fmt.Sprint(n)
}

// failures counts what clients were told since a moment, the most frequent first, and
// says when it began.
func failures(ops []checker.Op, from time.Time) string {
	type failure struct {
		n     int
		first time.Time
	}
	all := map[string]failure{}
	for _, op := range ops {
		if op.Err != "" && op.Began.After(from) {
			text := generic.Replace(strings.ReplaceAll(op.Err, op.Object, "…"))
			f := all[text]
			if f.n == 0 {
				f.first = op.Ended
			}
			all[text] = failure{f.n + 1, f.first}
		}
	}
	var b strings.Builder
	texts := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Compare(all[b].n, all[a].n) })
	for _, text := range texts[:min(len(texts), 8)] {
		fmt.Fprintf(&b, "%d× from %s: %s\n", all[text].n, all[text].first.Format("15:04:05.000"), text)
	}
	return b.String()
}

// generic leaves out what differs from one failure to the next.
var generic = strings.NewReplacer("https://"+balancerAddress+":6443", "")
