// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/khw-controller/khw-controller/pkg/adopt"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// report is what was understood, for people and scripts.
type report struct {
	*adopt.Controller
	// Version is the apiserver's.
	Version string `json:"version,omitempty"`
	// Path and Content are the config file's; Written tells that it is there.
	Path    string `json:"path"`
	Content string `json:"content"`
	Written bool   `json:"written"`
}

// actions say what is done with nginx.
var actions = map[adopt.Action]string{
	adopt.StopNginx:   "answers health checks and does nothing else: it is stopped",
	adopt.DisableSite: "answers health checks; that site is disabled, and the others go on",
	adopt.KeepNginx:   "answers health checks and serves other sites on the same port: it goes on doing both",
	adopt.NoNginx:     "does not answer health checks: it is left alone",
}

func (r report) write(w io.Writer, format string) error {
	if format == "json" {
		return cli.WriteJSON(w, r)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, u := range r.Units {
		fmt.Fprintf(table, "%s\t%s\t%s\n", u.Name, state(u), strings.Join(append([]string{u.Path}, u.DropIns...), ", "))
	}
	if r.Nginx != nil {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Nginx.Name, state(*r.Nginx), actions[r.Health.Action])
	}
	if r.Etcd != nil {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Etcd.Name, state(*r.Etcd), "stays as it is")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r.Version != "" {
		fmt.Fprintf(w, "\nKubernetes %s here, %s in this program.\n", r.Version, ownVersion())
	}
	verb := "Would be written to"
	if r.Written {
		verb = "Written to"
	}
	fmt.Fprintf(w, "\n%s %s:\n\n", verb, r.Path)
	for line := range strings.Lines(r.Content) {
		fmt.Fprint(w, "  "+line)
	}
	if len(r.Notices)+len(r.Missing) > 0 {
		fmt.Fprintln(w)
	}
	for _, n := range r.Notices {
		fmt.Fprintln(w, "notice   "+n)
	}
	for _, m := range r.Missing {
		fmt.Fprintln(w, "missing  "+m)
	}
	fmt.Fprintln(w, "\nNext: khw-controller adopt --apply")
	return nil
}

// state is how systemd has a unit.
func state(u adopt.Unit) string {
	if u.Active == "" {
		return "found"
	}
	return u.Active + ", " + u.Enabled
}
