// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/secretsencrypt"
)

func newStatus() *cobra.Command {
	var a access
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what each controller encrypts with, and what is stored with which key",
		Long: `Show of each controller the encryption configuration in its file and in force, by
a hash and the names of its keys; how many objects are stored in etcd with each
key; a rotation under way; and what to do next. No key is shown. It takes the
flags of run.

All that is stored of the resources in encryption-config.yaml is read from etcd.

Exit codes: 0 when nothing has to be done, 1 when something has or when it cannot
be told, 2 for wrong usage.`,
		Example: `  sudo khw-controller secrets-encrypt status
  sudo khw-controller secrets-encrypt status -o json | jq '.stored'`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	a.addTo(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withRotator(cmd, &a, io.Discard, func(ctx context.Context, r *secretsencrypt.Rotator) error {
			s, err := r.Status(ctx)
			if err != nil {
				return err
			}
			if output.String() == "json" {
				err = cli.WriteJSON(cmd.OutOrStdout(), s)
			} else {
				err = writeStatus(cmd.OutOrStdout(), s, time.Now())
			}
			if err == nil && s.Pending {
				err = cli.Exit{Code: 1}
			}
			return err
		})
	}
	return cmd
}

func writeStatus(w io.Writer, s *secretsencrypt.Status, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CONTROLLER\tREPORTED\tIN FORCE\tIN ITS FILE")
	for _, c := range s.Controllers {
		fmt.Fprintf(table, "%s\t%s ago\t%s\t%s\n", c.Controller, now.Sub(c.Reported).Round(time.Second), short(c.InForce),
			strings.Join(append([]string{short(c.File)}, c.Providers...), "; "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(table, "STORED\tOBJECTS\tWITH")
	for _, x := range s.Stored {
		fmt.Fprintf(table, "%s\t%d\t%s\n", x.Resource, x.Objects, encryption.Provider{Name: x.Provider, Key: x.Key}.Short())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r := s.Rotation; r != nil {
		fmt.Fprintf(w, "\nRotation since %s: %s, %s\n", r.Started.UTC().Format(time.RFC3339), r.Target.Short(), r.Phase)
	}
	fmt.Fprintf(w, "\nNext: %s\n", s.Next)
	return nil
}

// short is a hash as people compare it.
func short(hash string) string {
	hash = strings.TrimPrefix(hash, "sha256:")
	if hash == "" {
		return "none"
	}
	return hash[:min(len(hash), 12)]
}
