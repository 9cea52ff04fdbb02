// SPDX-License-Identifier: Apache-2.0

package init

import (
	"fmt"
	"io"
	"net"

	"github.com/khw-controller/khw-controller/pkg/bundle"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// marks are how an action is shown, as those of a load balancer's plan.
var marks = map[pki.Action]string{pki.Make: "+", pki.Renew: "~", pki.Edit: "~", pki.Keep: "="}

// result is what init has made, or would make, for scripts.
type result struct {
	Dir         string       `json:"dir"`
	Controllers []string     `json:"controllers"`
	DryRun      bool         `json:"dryRun"`
	Pending     int          `json:"pending"`
	Files       []pki.Change `json:"files"`
	Warnings    []string     `json:"warnings"`
}

func (c *command) show(w io.Writer, b *bundle.Bundle) error {
	if c.output.String() == "json" {
		r := result{Dir: c.out, DryRun: c.dryRun, Pending: b.Pending(), Files: b.Changes, Warnings: append([]string{}, b.Warnings...)}
		for _, n := range b.Controllers {
			r.Controllers = append(r.Controllers, n.String())
		}
		return cli.WriteJSON(w, r)
	}
	for _, f := range b.Changes {
		fmt.Fprintf(w, "%s %s", marks[f.Action], f.Path)
		if f.Why != "" {
			fmt.Fprintf(w, ": %s", f.Why)
		}
		fmt.Fprintln(w)
	}
	for _, warning := range b.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	switch {
	case b.Pending() == 0:
		fmt.Fprintln(w, "nothing to do")
	case c.dryRun:
		fmt.Fprintf(w, "%d files to write\n", b.Pending())
	default:
		c.next(w, b)
	}
	return nil
}

// next says what to do with the bundle.
func (c *command) next(w io.Writer, b *bundle.Bundle) {
	dir := c.out
	if c.perNode {
		dir += "/$(hostname)"
	}
	fmt.Fprintf(w, `
On each of %s, as root, with its files in %s:
  mkdir -p /var/lib/kubernetes /etc/kubernetes/config
  cp %[2]s/*.pem %[2]s/*.kubeconfig %[2]s/encryption-config.yaml /var/lib/kubernetes/
  cp %[2]s/khw-controller.yaml /etc/kubernetes/config/
  chown -R khw-controller: /var/lib/kubernetes    # with the packages: the service is not root
  khw-controller check && systemctl enable --now khw-controller
`, b.Controllers, dir)
	if len(c.public) > 0 {
		fmt.Fprintf(w, `From elsewhere, with a copy of admin.kubeconfig:
  kubectl --kubeconfig admin.kubeconfig --server https://%s get componentstatuses
`, net.JoinHostPort(c.public[0], "6443"))
	}
}
