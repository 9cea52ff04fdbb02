// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/status"
)

func newEndpoint() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoint",
		Short: "Ask the members how they are",
		Args:  cli.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEndpointStatus())
	return cmd
}

func newEndpointStatus() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every member: role, version, size, how far behind",
		Long: `Show every member of etcd's cluster as khw-controller status does, without a
control plane that runs: who leads, how big its database is and what of it is in
use, how far it is behind, what is wrong and what to do. One member that answers
is enough to ask, with or without a quorum. The exit code is 1 where something is
wrong.`,
		Example: `  sudo khw-controller etcd endpoint status
  sudo khw-controller etcd endpoint status -o json`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		defer p.Close()
		observer := etcdclient.NewObserver(p.EtcdAccess)
		defer observer.Close()
		r := &status.Report{Etcd: status.Etcd{Embedded: p.Etcd != nil}}
		if r.Etcd.Members, err = observer.Observe(cmd.Context()); err != nil {
			return fmt.Errorf("etcd: %w", err)
		}
		problems, warnings := status.Findings(r)
		if output.String() == "json" {
			err = cli.WriteJSON(cmd.OutOrStdout(), map[string]any{"members": r.Etcd.Members, "problems": problems, "warnings": warnings})
		} else {
			status.WriteMembers(cmd.OutOrStdout(), r.Etcd.Members)
			for _, s := range problems {
				fmt.Fprintf(cmd.OutOrStdout(), "problem: %s\n", s)
			}
			for _, s := range warnings {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", s)
			}
		}
		if err == nil && len(problems) > 0 {
			err = cli.Exit{Code: 1}
		}
		return err
	}
	return cmd
}
