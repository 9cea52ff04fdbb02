// SPDX-License-Identifier: Apache-2.0

package pairs

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// print prints the table in Markdown, with its columns aligned.
func (r *Result) print(w io.Writer) error {
	lines := [][]string{{"", "stock", "khw-controller", "khw/stock"}}
	for _, row := range r.Rows {
		unit := " " + row.Unit
		lines = append(lines, []string{
			row.Name, row.Stock.text(row.Digits, unit), row.KHW.text(row.Digits, unit), row.Ratio.text(2, "×"),
		})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	text := aligned(lines[0], widths) + rule(widths)
	for _, line := range lines[1:] {
		text += aligned(line, widths)
	}
	_, err := fmt.Fprintf(w, "%s\nMedian (least–most) of %d; the ratio is that of the pairs. %s, %s; %s\n",
		text, r.Runs, r.Machine, r.Versions.Kubernetes, r.Time.Format("2006-01-02"))
	return err
}

// text is the median, with the spread where there is one.
func (s Series) text(digits int, unit string) string {
	switch len(s.Values) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%.*f%s", digits, s.Median, unit)
	}
	return fmt.Sprintf("%.*f%s (%.*f–%.*f)", digits, s.Median, unit, digits, s.Min, digits, s.Max)
}

func aligned(cells []string, widths []int) string {
	line := "|"
	for i, cell := range cells {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i == 0 {
			line += " " + cell + pad + " |"
		} else {
			line += " " + pad + cell + " |"
		}
	}
	return line + "\n"
}

func rule(widths []int) string {
	line := "|"
	for i, width := range widths {
		if i == 0 {
			line += strings.Repeat("-", width+2) + "|"
		} else {
			line += strings.Repeat("-", width+1) + ":|"
		}
	}
	return line + "\n"
}
