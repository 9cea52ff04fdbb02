// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"fmt"
	"io"
	"strings"
)

// marks are how a plan shows an Action.
var marks = map[Action]string{Create: "+", Update: "~", Same: "=", Delete: "-", Keep: "="}

// WriteText prints the plan for people.
func (p *Plan) WriteText(w io.Writer) {
	fmt.Fprintf(w, "load balancer in %s\n", p.cloud.Where())
	width := 0
	for _, s := range p.Steps {
		width = max(width, len(s.Kind))
	}
	for _, s := range p.Steps {
		fmt.Fprintf(w, "  %s %-*s  %s", marks[s.Action], width, s.Kind, s.Name)
		if s.ID != "" {
			fmt.Fprintf(w, " (%s)", s.ID)
		}
		switch s.Why {
		case "":
		case notThere:
			fmt.Fprintf(w, ": %s", s.Why)
		default:
			fmt.Fprintf(w, ": kept, %s", s.Why)
		}
		fmt.Fprintln(w)
		for _, c := range s.Changes {
			fmt.Fprintf(w, "      %s\n", c)
		}
	}
	for _, s := range p.Steps {
		for _, u := range s.Unmanaged {
			fmt.Fprintf(w, "  ? %s\n", u)
		}
	}
	fmt.Fprintln(w, p.summary())
}

// String shows a change as a plan does.
func (c Change) String() string {
	return fmt.Sprintf("%s %s → %s", c.Field, orNone(c.Old), orNone(c.New))
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func (p *Plan) summary() string {
	count := map[Action]int{}
	for _, s := range p.Steps {
		count[s.Action]++
	}
	if p.Pending() == 0 {
		return "nothing to do"
	}
	var parts []string
	for _, a := range []Action{Create, Update, Delete} {
		if count[a] > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", count[a], a))
		}
	}
	return strings.Join(parts, ", ")
}

// Report is a plan, and what has become of it, for scripts.
type Report struct {
	Where string `json:"where"`
	// Address is what clients connect to; absent while there is none.
	Address string `json:"address,omitempty"`
	Pending int    `json:"pending"`
	Steps   []Step `json:"steps"`
	// Health is there after a wait.
	Health []InstanceHealth `json:"health,omitempty"`
}

// Report returns the plan as it stands.
func (p *Plan) Report() Report {
	return Report{Where: p.cloud.Where(), Address: p.cloud.Address(), Pending: p.Pending(), Steps: p.Steps}
}
