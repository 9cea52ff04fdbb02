// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Status is a load balancer as clients find it.
type Status struct {
	Where string `json:"where"`
	// Kind and Name are those of the balancer; State is the cloud's word for how
	// it is, where it has one.
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	State string `json:"state,omitempty"`
	// Addresses are DNS names or IP addresses; none if there is no balancer.
	Addresses []string         `json:"addresses"`
	Listeners []Listener       `json:"listeners"`
	Targets   []InstanceHealth `json:"targets"`
}

// Listener is one port of a load balancer.
type Listener struct {
	Protocol string `json:"protocol"`
	// Port is a number, or a range written as the cloud writes it.
	Port string `json:"port"`
	// Target is what it forwards to: "tcp/6443", or the name of a pool.
	Target string `json:"target"`
	// Serves reports whether it is the one that the controllers' clients use.
	Serves bool `json:"serves"`
}

// ReadStatus reads all of a load balancer, as it is.
func ReadStatus(ctx context.Context, cloud Cloud) (Status, error) {
	for _, r := range cloud.Resources() {
		if _, err := r.Read(ctx); err != nil {
			return Status{}, fmt.Errorf("reading %s %s: %w", r.Kind(), r.Name(), cloud.Explain(err))
		}
	}
	status, err := cloud.Status(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("reading the status: %w", cloud.Explain(err))
	}
	return status, nil
}

// Serving reports whether clients reach a controller: an address, a listener for
// them, and at least one controller in service.
func (s Status) Serving() bool {
	listens, inService := false, false
	for _, l := range s.Listeners {
		listens = listens || l.Serves
	}
	for _, t := range s.Targets {
		inService = inService || t.Ours && t.InService
	}
	return len(s.Addresses) > 0 && listens && inService
}

// WriteText prints it for people.
func (s Status) WriteText(w io.Writer) {
	fmt.Fprintf(w, "%s %s in %s", s.Kind, s.Name, s.Where)
	if s.State != "" {
		fmt.Fprintf(w, ": %s", s.State)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range s.Addresses {
		fmt.Fprintf(t, "  address\t%s\n", a)
	}
	for _, l := range s.Listeners {
		note := ""
		if !l.Serves {
			note = "\tnot the controllers'"
		}
		fmt.Fprintf(t, "  listener\t%s/%s\t→ %s%s\n", l.Protocol, l.Port, l.Target, note)
	}
	for _, h := range s.Targets {
		fmt.Fprintf(t, "  target\t%s\t%s\t%s%s\t%s\n", h.label(), h.State, h.Machine, since(h.MachineSince), h.Reason)
	}
	_ = t.Flush()
	if !s.Serving() {
		fmt.Fprintln(w, "no client is served")
	}
}

func since(t *time.Time) string {
	if t == nil {
		return ""
	}
	return " since " + t.UTC().Format(time.RFC3339)
}
