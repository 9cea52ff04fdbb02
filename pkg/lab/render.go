// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// Row is a line of `khw-controller flags`: a flag of the table, or one that only
// the user set, and what is in force.
type Row struct {
	Flag
	// Effective is the value in force; empty when the flag is gone or given up.
	Effective string `json:"effective"`
	// Source says who set it, or gave it up: FromLab, FromAdded, or where the user did.
	Source string `json:"source,omitempty"`
	// ReplacedBy is the flag for which Kubernetes' own rules gave this one up.
	ReplacedBy string `json:"replacedBy,omitempty"`
}

// Rows joins the table with what is in force, in the lab's order, followed per
// component by what only the user set or gave up.
func Rows(settings map[Component][]Setting, dropped map[Component][]Dropped) []Row {
	var rows []Row
	for _, c := range Components() {
		known := map[string]bool{"": true}
		for _, f := range Flags(c) {
			known[f.Current] = true
			rows = append(rows, row(f, settings[c], dropped[c]))
		}
		for _, s := range settings[c] {
			if !known[s.Name] {
				rows = append(rows, Row{Flag: notLab(c, s.Name), Effective: s.Value, Source: s.Source})
			}
		}
		for _, d := range dropped[c] {
			if !known[d.Name] {
				rows = append(rows, d.row(notLab(c, d.Name)))
			}
		}
	}
	return rows
}

// notLab is a flag that is not in the table, and that the user set or gave up.
func notLab(c Component, name string) Flag {
	return Flag{Component: c, Name: name, Current: name, Status: Added, Seen: seenIn(c, name)}
}

// row is a flag of the table with what is in force.
func row(f Flag, settings []Setting, dropped []Dropped) Row {
	r := Row{Flag: f}
	if f.Current == "" {
		return r
	}
	for _, d := range dropped {
		if d.Name == f.Current {
			return d.row(f)
		}
	}
	for _, s := range settings {
		if s.Name != f.Current {
			continue
		}
		r.Effective, r.Source = s.Value, s.Source
		if s.Why != "" {
			r.Why = strings.TrimSpace(r.Why + " " + s.Why)
		}
	}
	return r
}

func (d Dropped) row(f Flag) Row {
	f.Status, f.Since, f.Why = d.Status, "", d.Why
	return Row{Flag: f, Source: d.Source, ReplacedBy: d.By}
}

// Arg returns the row's flag as it is in force: `--name=value`, or `--name-`.
func (r Row) Arg() Arg {
	return Arg{Name: r.Current, Value: r.Effective, HasValue: true, Unset: !r.Passed()}
}

// Passed reports whether the component gets the flag.
func (r Row) Passed() bool { return r.Current != "" && r.Status != Unset && r.Status != Replaced }

// WriteText prints rows for a terminal.
func WriteText(w io.Writer, rows []Row) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var unit Component
	for _, r := range rows {
		if r.Component != unit {
			if unit != "" {
				fmt.Fprintln(tw)
			}
			unit = r.Component
			fmt.Fprintf(tw, "%s\tEFFECTIVE\tSTATUS\tSEEN IN\tSET BY\n", unit)
		}
		effective := r.Effective
		if !r.Passed() {
			effective = "-"
		}
		fmt.Fprintf(tw, "--%s\t%s\t%s\t%s\t%s\n", r.Name, effective, r.statusText(), cmp.Or(r.Seen, "-"), r.Source)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return writeReasons(w, rows)
}

// statusText says what became of a row's flag.
func (r Row) statusText() string {
	if r.Status == Replaced {
		return "replaced by --" + r.ReplacedBy
	}
	return statusText(r.Flag)
}

// statusText says what became of a flag, with the release.
func statusText(f Flag) string {
	text := string(f.Status)
	if f.Status == Renamed {
		text += " --" + f.Current
	}
	if f.Since != "" {
		text += " (" + f.Since + ")"
	}
	return text
}

// writeReasons says below the table why a flag differs from the lab.
func writeReasons(w io.Writer, rows []Row) error {
	heading := "\nWhere it differs from the lab, and why:\n"
	for _, r := range rows {
		if r.Why == "" {
			continue
		}
		labValue := ""
		if r.Value != "" {
			labValue = "=" + r.Value
		}
		if _, err := fmt.Fprintf(w, "%s  %s --%s%s\n    %s: %s\n", heading, r.Component, r.Name, labValue, r.statusText(), r.Why); err != nil {
			return err
		}
		heading = ""
	}
	return nil
}

// WriteYAML prints rows as YAML.
func WriteYAML(w io.Writer, rows []Row) error {
	data, err := yaml.Marshal(rows)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// WriteUnit prints the ExecStart line of each of the lab's units as today's
// Kubernetes needs it, in the lab's layout.
func WriteUnit(w io.Writer, settings map[Component][]Setting) error {
	for i, c := range Components() {
		lines := []string{"ExecStart=/usr/local/bin/" + string(c)}
		for _, s := range settings[c] {
			lines = append(lines, "  "+s.String())
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := fmt.Fprintf(w, "# %s.service\n%s\n", c, strings.Join(lines, " \\\n")); err != nil {
			return err
		}
	}
	return nil
}
