// SPDX-License-Identifier: Apache-2.0

// Package man is `khw-controller man`, with which the packages' manual pages are
// made.
package man

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	kubeversion "k8s.io/component-base/version"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// New returns the command.
func New() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual page of every command",
		Hidden: true, // who installs a package has them
		Long: `Write the manual page of every command into a directory. The date in them is
that of SOURCE_DATE_EPOCH, if that is set.`,
		Example: "  khw-controller man /usr/local/share/man/man1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s takes one argument, a directory", cmd.CommandPath())
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, &doc.GenManHeader{
				Section: "1",
				Source:  "khw-controller " + kubeversion.Get().GitVersion,
				Manual:  "khw-controller",
			}, args[0]); err != nil {
				return fmt.Errorf("writing manual pages: %w", err)
			}
			return nil
		},
	}
}
