// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// newStatus returns the subcommand that looks. It shares the flags that say which
// load balancer is meant.
func newStatus(c *command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the load balancer's addresses, listeners and targets",
		Long: `Show the load balancer as clients find it: its addresses, its listeners, and
what is behind it with its health, the state of the machine and, where the cloud
tells, since when. Nothing is changed.

Exit codes: 0 when clients reach a controller; 1 when they do not, or nobody can
tell; 2 for wrong usage.`,
		Example: `  khw-controller lb status --cloud aws
  khw-controller lb status --cloud aws --type nlb -o json`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd, lb.Use{Health: true}, output.String() == formatJSON, func(cloud lb.Cloud, shown *progress) error {
			status, err := lb.ReadStatus(cmd.Context(), cloud)
			switch {
			case err != nil:
				return err
			case output.String() == formatJSON:
				err = cli.WriteJSON(cmd.OutOrStdout(), status)
			default:
				status.WriteText(shown)
			}
			if err == nil && !status.Serving() {
				err = cli.Exit{Code: 1}
			}
			return err
		})
	}
	return cmd
}
