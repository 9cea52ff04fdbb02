// SPDX-License-Identifier: Apache-2.0

// Package check is `khw-controller check`.
package check

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/preflight"
)

// New returns the command. It exits with 1 when `run` would fail.
func New() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether `run` would work here, and what to do if not",
		Long: `Make every check that run makes before it starts anything, report all findings
at once with their fixes, and change nothing. It takes the flags of run. With
--quiet it says only what stands in the way, for a service manager that starts
run next.

A finding of severity "wait" is one that run waits for: an etcd that does not
answer yet, an address that this machine does not have yet, a clock that is not
set.

Exit codes: 0 when run would start, at once or after waiting; 1 when it would
not; 2 for wrong usage.`,
		Example: `  khw-controller check
  khw-controller check --root ~/khw -o json
  khw-controller check --instead-of kube-apiserver,kube-controller-manager,kube-scheduler,nginx
  khw-controller check --quiet && khw-controller run`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	insteadOf := cmd.Flags().StringSlice("instead-of", nil, "Systemd `services` that will be stopped before run is started, such as kube-apiserver: what they listen on is free then.")
	quiet := cmd.Flags().BoolP("quiet", "q", false, "Leave out warnings, notices and the word that all is well.")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// What Kubernetes' packages log on the way is in the findings.
		klog.SetLogger(logr.Discard())
		plan, err := cli.Plan(cmd, &flags)
		var notices, denied []string
		var findings []preflight.Finding
		switch {
		case errors.Is(err, address.ErrNotFound):
			findings = []preflight.Finding{preflight.NoAddress(err)}
		case err != nil:
			return err
		default:
			notices, denied = plan.Notices, preflight.Denied(plan)
			findings = preflight.Check(cmd.Context(), plan, preflight.Options{Now: time.Now(), BeforeRun: true, InsteadOf: *insteadOf})
		}
		refused := slices.ContainsFunc(findings, preflight.Finding.IsError)
		if *quiet {
			notices = nil
			findings = slices.DeleteFunc(findings, func(f preflight.Finding) bool { return !f.IsError() })
		}
		if !*quiet || refused || output.String() == "json" {
			if err := write(cmd.OutOrStdout(), output.String(), notices, denied, findings); err != nil {
				return err
			}
		}
		if refused {
			return cli.Exit{Code: 1}
		}
		return nil
	}
	return cmd
}

func write(w io.Writer, format string, notices, denied []string, findings []preflight.Finding) error {
	if format == "json" {
		if findings == nil {
			findings = []preflight.Finding{}
		}
		return cli.WriteJSON(w, map[string]any{"findings": findings, "notices": notices, "denied": denied})
	}
	for _, n := range notices {
		fmt.Fprintf(w, "notice   %s\n", n)
	}
	for _, f := range findings {
		fmt.Fprintf(w, "%-8s %s\n", f.Severity, f)
	}
	if len(findings) == 0 {
		fmt.Fprintln(w, "ok: nothing stands in the way of khw-controller run")
	}
	return nil
}
