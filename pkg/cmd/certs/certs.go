// SPDX-License-Identifier: Apache-2.0

// Package certs is `khw-controller certs`.
package certs

import (
	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// New returns the command.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Show what expires when, renew it, and rotate the CA",
		Long: `Show and renew the certificates in force on this controller, those that the
settings of run name, in files and in kubeconfigs; and have another CA, or another
key of service account tokens, take the place of the one in use.`,
		Example: `  khw-controller certs list
  sudo khw-controller certs renew --all`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newList(), newRenew(), newRotateCA(), newRotateKey())
	return cmd
}
