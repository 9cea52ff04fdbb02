// SPDX-License-Identifier: Apache-2.0

// Package check is `khw-controller check`.
package check

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

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

Exit codes: 0 when run would start, warnings or not; 1 when it would not; 2 for
wrong usage.`,
		Example: `  khw-controller check
  khw-controller check --root ~/khw -o json
  khw-controller check --quiet && khw-controller run`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	quiet := cmd.Flags().BoolP("quiet", "q", false, "Leave out warnings, notices and the word that all is well.")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plan, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		notices, findings := plan.Notices, preflight.Check(cmd.Context(), plan, preflight.Options{Now: time.Now(), BeforeRun: true})
		refused := slices.ContainsFunc(findings, preflight.Finding.IsError)
		if *quiet {
			notices = nil
			findings = slices.DeleteFunc(findings, func(f preflight.Finding) bool { return !f.IsError() })
		}
		if !*quiet || refused || output.String() == "json" {
			if err := write(cmd.OutOrStdout(), output.String(), notices, findings); err != nil {
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

func write(w io.Writer, format string, notices []string, findings []preflight.Finding) error {
	if format == "json" {
		if findings == nil {
			findings = []preflight.Finding{}
		}
		return cli.WriteJSON(w, map[string]any{"findings": findings, "notices": notices})
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
