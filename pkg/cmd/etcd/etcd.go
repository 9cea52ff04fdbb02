// SPDX-License-Identifier: Apache-2.0

// Package etcd is `khw-controller etcd`: what an operator does with etcd and its
// data, embedded or not, with the lab's certificates.
package etcd

import (
	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// New returns the command.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "etcd",
		Short: "Take care of etcd: snapshots, members, space",
		Long: `Take care of the etcd that this controller uses, embedded or external. It is
reached as the apiserver does it; the commands take the flags of run, and the
config file.`,
		Example: `  sudo khw-controller etcd snapshot save
  sudo khw-controller etcd endpoint status
  sudo khw-controller etcd member list
  sudo khw-controller etcd defrag --clear-alarms`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSnapshot(), newMember(), newEndpoint(), newMoveLeader(), newDefrag())
	return cmd
}
