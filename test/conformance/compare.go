// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Known is a case that cannot pass where the tests are run here, whoever the apiserver is.
type Known struct {
	// Case is a part of its name.
	Case   string
	Reason string
}

// Comparison is what became of the same cases on two clusters.
type Comparison struct {
	Stock, Ours Report
	Known       []Known
}

// Findings are what there must not be: each case that stock passes, ours has to pass; what
// neither passes has to be known, and what is known has to be true.
func (c Comparison) Findings() []string {
	var found []string
	told := map[string]bool{}
	for _, name := range c.names() {
		stock, ours := c.Stock[name], c.Ours[name]
		known := c.known(name)
		if known != nil && !stock.State.OK() && !ours.State.OK() {
			told[known.Case] = true
		}
		switch {
		case stock.State == "":
			found = append(found, "not run on stock: "+name)
		case ours.State == "":
			found = append(found, "not run on ours: "+name)
		case stock.State.OK() && !ours.State.OK():
			found = append(found, fmt.Sprintf("stock passes, ours %s: %s: %s", ours.State, name, ours.Why))
		case !stock.State.OK() && !ours.State.OK() && known == nil:
			found = append(found, fmt.Sprintf("neither passes, and nobody knows why: %s: %s", name, ours.Why))
		}
	}
	for _, k := range c.Known {
		if !told[k.Case] {
			found = append(found, fmt.Sprintf("known not to pass, and no case that neither passes has this name: %s", k.Case))
		}
	}
	return found
}

// Shared is the comparison of those cases only that were run on both.
func (c Comparison) Shared() Comparison {
	among := func(these, those Report) Report {
		r := maps.Clone(these)
		maps.DeleteFunc(r, func(name string, _ Result) bool { return those[name].State == "" })
		return r
	}
	c.Stock, c.Ours = among(c.Stock, c.Ours), among(c.Ours, c.Stock)
	return c
}

func (c Comparison) known(name string) *Known {
	for i := range c.Known {
		if strings.Contains(name, c.Known[i].Case) {
			return &c.Known[i]
		}
	}
	return nil
}

// names are those of all cases, sorted.
func (c Comparison) names() []string {
	all := maps.Clone(c.Stock)
	maps.Copy(all, c.Ours)
	return slices.Sorted(maps.Keys(all))
}

var sig = regexp.MustCompile(`^\[(sig-[a-z-]+)\]`)

// Table has a line for each of upstream's groups, and below it each case that does not pass
// on both.
func (c Comparison) Table() string {
	type line struct{ all, stock, ours int }
	lines, total := map[string]line{}, line{}
	again := line{}
	var below []string
	for _, name := range c.names() {
		group := "others"
		if m := sig.FindStringSubmatch(name); m != nil {
			group = m[1]
		}
		stock, ours := c.Stock[name].State, c.Ours[name].State
		l := lines[group]
		l.all, total.all = l.all+1, total.all+1
		if stock.OK() {
			l.stock, total.stock = l.stock+1, total.stock+1
		}
		if ours.OK() {
			l.ours, total.ours = l.ours+1, total.ours+1
		}
		lines[group] = l
		if stock == Again {
			again.stock++
		}
		if ours == Again {
			again.ours++
		}
		if !stock.OK() || !ours.OK() {
			why := ""
			if k := c.known(name); k != nil {
				why = ": " + k.Reason
			}
			below = append(below, fmt.Sprintf("- stock %s, ours %s: %s%s", told(stock), told(ours), name, why))
		}
	}
	var b strings.Builder
	b.WriteString("| | cases | pass on stock | pass on khw-controller |\n|---|---:|---:|---:|\n")
	for _, group := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", group, lines[group].all, lines[group].stock, lines[group].ours)
	}
	fmt.Fprintf(&b, "| all | %d | %d | %d |\n| of them when run again | | %d | %d |\n", total.all, total.stock, total.ours, again.stock, again.ours)
	if len(below) > 0 {
		b.WriteString("\n" + strings.Join(below, "\n") + "\n")
	}
	return b.String()
}

func told(s State) string {
	if s == "" {
		return "not run"
	}
	return string(s)
}
