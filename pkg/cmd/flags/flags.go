// SPDX-License-Identifier: Apache-2.0

// Package flags is `khw-controller flags`.
package flags

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// New returns the command.
func New() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "flags",
		Short: "Show every flag of the lab, its effective value and its status",
		Long: `Show every flag of the lab's three units in the lab's order: the effective value on
this controller, the flag's status in this Kubernetes, since when and why, and the
newest release whose own flags had it. It takes the flags of run.

-o unit prints the three ExecStart blocks as today's Kubernetes would need them.`,
		Example: `  khw-controller flags
  khw-controller flags -o unit
  khw-controller flags --kube-apiserver-arg event-ttl=2h -o json
  khw-controller flags --kube-apiserver-arg apiserver-count-`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json", "yaml", "unit")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plan, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		for _, notice := range plan.Notices {
			fmt.Fprintln(cmd.ErrOrStderr(), notice)
		}
		rows := lab.Rows(plan.Flags, plan.Dropped)
		switch w := cmd.OutOrStdout(); output.String() {
		case "json":
			return cli.WriteJSON(w, rows)
		case "yaml":
			return lab.WriteYAML(w, rows)
		case "unit":
			return lab.WriteUnit(w, plan.Flags)
		default:
			return lab.WriteText(w, rows)
		}
	}
	return cmd
}
