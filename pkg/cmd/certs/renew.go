// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

func newRenew() *cobra.Command {
	var flags config.Flags
	var all, dryRun bool
	cmd := &cobra.Command{
		Use:   "renew [NAME...]",
		Short: "Renew certificates by the CA that signed them",
		Long: `Renew certificates in force on this controller, all of them or those named, by
file name or path: signed by the same CA, with the same subject and names, for a
new key of the same kind, and for as long as the old one was good for. The old
files stay beside, with a date in their names. It takes the flags of run.

All are put in place or none. What was interrupted is finished by the next renew
or start. It may be done while everything runs: the apiserver and etcd take new
files over by themselves, within 5 minutes, and what is read only at a start is
named.

A CA is not renewed, nor is what was signed by one whose key is not here: named,
it is an error, and with --all it is said and left.

Other controllers have files of their own: renew those there.`,
		Example: `  # What would be done? Then do it
  sudo khw-controller certs renew --all --dry-run
  sudo khw-controller certs renew --all

  # One of them
  sudo khw-controller certs renew kubernetes.pem`,
		Args: cobra.ArbitraryArgs,
	}
	output := cli.AddOutput(cmd, "json")
	cmd.Flags().BoolVar(&all, "all", false, "Renew every certificate that can be renewed here.")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "Say what would be renewed, and change nothing.")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		if all == (len(names) > 0) {
			return cli.Usagef("say which certificates, by name (see khw-controller certs list), or --all")
		}
		p, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		defer p.Close()
		return run(cmd, p, names, dryRun, output.String() == "json")
	}
	return cmd
}

func run(cmd *cobra.Command, p *plan.Plan, names []string, dryRun, json bool) error {
	if err := finishInterrupted(cmd, p, dryRun); err != nil {
		return err
	}
	now := time.Now()
	var r *certs.Renewals
	var err error
	if len(names) > 0 {
		r, err = certs.RenewNamed(p, names, now)
	} else {
		r, err = certs.Renew(p, certs.All, now)
	}
	if err != nil {
		return err
	}
	if !dryRun {
		if err := r.Write(now); err != nil {
			return fmt.Errorf("nothing was renewed: %w", err)
		}
	}
	return show(cmd.OutOrStdout(), r, dryRun, json)
}

// finishInterrupted puts in place what was to be, unless nothing is to be changed.
func finishInterrupted(cmd *cobra.Command, p *plan.Plan, nothing bool) error {
	if !p.ChangeInterrupted() {
		return nil
	}
	if nothing {
		return fmt.Errorf("a change was interrupted; the same command without --dry-run finishes it first")
	}
	finished, err := p.FinishChange()
	if err != nil || len(finished) == 0 { // a running controller was about to
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "finished what was interrupted: %s\n", strings.Join(finished, ", "))
	return nil
}

// result is what was renewed, for scripts.
type result struct {
	DryRun  bool      `json:"dryRun"`
	Renewed []renewed `json:"renewed"`
	Left    []string  `json:"left"`
}

type renewed struct {
	certs.Renewal
	// NeedsRestart tells that a running control plane uses it after a restart only.
	NeedsRestart bool `json:"needsRestart"`
}

// takeovers say when what was renewed is used.
var takeovers = map[plan.Takeover]string{
	plan.Running: "taken over while it runs, within 5 minutes",
	plan.Restart: "used after a restart: " + restartCommand,
	plan.NextUse: "used by who reads it next",
}

func show(w io.Writer, r *certs.Renewals, dryRun, json bool) error {
	out := result{DryRun: dryRun, Renewed: []renewed{}, Left: []string{}}
	for _, x := range r.Renewals {
		out.Renewed = append(out.Renewed, renewed{x, x.Takeover == plan.Restart})
	}
	for _, err := range r.Left {
		out.Left = append(out.Left, err.Error())
	}
	if json {
		return cli.WriteJSON(w, out)
	}
	for _, x := range r.Renewals {
		fmt.Fprintf(w, "~ %s: %s → %s; %s\n", x.Path, x.Before.UTC().Format(time.DateOnly), x.NotAfter.UTC().Format(time.DateOnly), takeovers[x.Takeover])
	}
	for _, left := range out.Left {
		fmt.Fprintf(w, "= %s\n", left)
	}
	switch {
	case len(r.Renewals) == 0:
		fmt.Fprintln(w, "nothing to renew")
	case dryRun:
		fmt.Fprintf(w, "%d to renew\n", len(r.Renewals))
	}
	return nil
}
