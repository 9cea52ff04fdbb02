// SPDX-License-Identifier: Apache-2.0

// Package man is `khw-controller man`, with which the packages' manual pages are
// made.
package man

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

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
			return raggedRight(filepath.Join(args[0], root.Name()+"*.1"))
		},
	}
}

// raggedRight has pages not be justified: there is no way to stretch a line that
// is one long word, such as a list of names, and man says so.
func raggedRight(pattern string) error {
	pages, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		text = bytes.Replace(text, []byte("\n.SH NAME\n"), []byte("\n.ad l\n.SH NAME\n"), 1)
		if err := os.WriteFile(page, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
