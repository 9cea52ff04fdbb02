// SPDX-License-Identifier: Apache-2.0

// Package evaluate is `khw-controller evaluate`, which check and run start as a
// child process.
package evaluate

import (
	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/evaluation"
)

// New returns the command.
func New() *cobra.Command {
	return &cobra.Command{
		Use:    evaluation.Verb,
		Short:  "Do with the components' flags what the components do before they serve",
		Hidden: true, // check is for people
		Long: `Read command lines of the components from standard input, as JSON, do with them
what the components do before they serve, and print what stands in the way. It
is how check and run find out; nothing is served, and nobody is asked.`,
		Example: `  echo '{"argv":{"kube-scheduler":["--v=2"]}}' | khw-controller evaluate`,
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return evaluation.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
