// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// shownCertificates is how many of the certificates that expire next are shown.
const shownCertificates = 2

// Write shows r on one screen.
func Write(w io.Writer, r *Report) error {
	fmt.Fprintf(w, "%s (%s) is %s; Kubernetes %s, process %d, up %s\n", r.Node, r.Address, r.Status,
		r.Versions.Kubernetes, r.PID, duration.HumanDuration(r.At.Sub(r.Started)))
	if r.WaitsFor != "" {
		fmt.Fprintf(w, "  %s\n", r.WaitsFor)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "  problem: %s\n", p)
	}
	for _, s := range r.Warnings {
		fmt.Fprintf(w, "  warning: %s\n", s)
	}
	fmt.Fprintln(w)
	writeComponents(w, r)
	if len(r.Etcd.Members) > 0 {
		fmt.Fprintln(w)
		WriteMembers(w, r.Etcd.Members)
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range r.Etcd.Members {
		if d := Disk(m); d != "" {
			fmt.Fprintf(table, "disk of %s\t%s\n", m.Name, d)
		}
	}
	if h := r.HealthPort; h != nil {
		fmt.Fprintf(table, "health port\t%s says %s; %s\n", h.Address, h.Answer, stopDelay(h))
	}
	for i, c := range r.Certificates {
		if i == shownCertificates {
			break
		}
		fmt.Fprintf(table, "expires next\t%s (%s) on %s, in %s\n", c.Path, c.Subject,
			c.NotAfter.UTC().Format("2006-01-02"), duration.HumanDuration(c.NotAfter.Sub(r.At)))
	}
	fmt.Fprintf(table, "lab's flags\t%d as in the lab, %d changed or added by today's Kubernetes, %d set here%s\n",
		r.Lab.AsInLab, r.Lab.Changed, len(r.Lab.Set), colon(r.Lab.Set))
	if len(r.Profiles) > 0 {
		fmt.Fprintf(table, "profile\t%s\n", strings.Join(r.Profiles, ", "))
	}
	if r.Unaudited != "" {
		fmt.Fprintf(table, "audit log\tnothing is audited: %s\n", r.Unaudited)
	}
	return table.Flush()
}

// stopDelay says how long a stop waits, and for whom.
func stopDelay(h *HealthPort) string {
	if h.StopDelay == 0 {
		return "a stop waits for nobody"
	}
	text := fmt.Sprintf("a stop waits %.0fs", math.Ceil(h.StopDelay))
	switch h.Checkers {
	case 0:
		return text
	case 1:
		return text + " for 1 checker"
	}
	return fmt.Sprintf("%s for %d checkers", text, h.Checkers)
}

// colon is ": a, b", or nothing where there is nothing to list.
func colon(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, ", ")
}

func writeComponents(w io.Writer, r *Report) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "COMPONENT\tSTATE\tSINCE\tRESTARTS\tDETAIL")
	for _, c := range r.Components {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", c.Component, c.State, duration.HumanDuration(r.At.Sub(c.Since)), c.Restarts, detail(c))
	}
}

// detail is what is worth saying of a component, the worst first.
func detail(c supervisor.Status) string {
	var parts []string
	for _, part := range []string{c.Unhealthy, c.Detail} {
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if c.LastFailure != "" && c.State.Up() {
		parts = append(parts, "last failure: "+c.LastFailure)
	}
	return strings.Join(parts, "; ")
}

// WriteMembers shows etcd's members.
func WriteMembers(w io.Writer, members []etcdclient.Member) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "ETCD MEMBER\tROLE\tVERSION\tDB SIZE\tIN USE\tBEHIND\tENDPOINT")
	for _, m := range members {
		if m.Error != "" && m.Version == "" {
			fmt.Fprintf(table, "%s\tno answer\t\t\t\t\t%s\n", m.Name, m.Endpoint)
			continue
		}
		size := bytes(m.DBSize)
		if m.Quota > 0 {
			size += " of " + bytes(m.Quota)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.Name, role(m), m.Version, size, bytes(m.DBInUse), m.Behind, m.Endpoint)
	}
}

// noLeader is shown in place of the role of a member that answers, and that no
// leader has.
const noLeader = "no leader"

func role(m etcdclient.Member) string {
	if m.Error != "" {
		return noLeader
	}
	return string(m.Role())
}
