// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/secretsencrypt"
)

func newRotate() *cobra.Command {
	var a access
	var wanted secretsencrypt.Wanted
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Move all that is encrypted to a new key, on all controllers",
		Long: `Move all that is encrypted to a new key of the same provider, or to another
provider, while all controllers serve. It is run once, on any controller:

  1. the new key is added as second: all controllers can read it;
  2. it is made first: all write it;
  3. everything is rewritten, and etcd is read to prove that nothing is left;
  4. the old key is dropped.

The running khw-controllers change their encryption-config.yaml, and take it over
without a restart. No step is made before every controller has reported the one
before; one that is stopped, or does not report, ends the command with what to
do. Each step is safe to stay at. The same command goes on with a rotation that
was interrupted, by whatever and wherever.

--provider identity is the move to nothing encrypted, and --provider aescbc the
one back. With --provider kms, the plugin (KMS v2) has to run on every
controller, at the same socket.

The last configuration that has the old key stays beside the new one, with a date
in its name: snapshots of etcd from before need it. Delete it with the last of
them.`,
		Example: `  # A new key. What would be done? Then do it
  sudo khw-controller secrets-encrypt rotate --dry-run
  sudo khw-controller secrets-encrypt rotate

  # Another provider
  sudo khw-controller secrets-encrypt rotate --provider secretbox
  sudo khw-controller secrets-encrypt rotate --provider kms --kms-name vault --kms-endpoint unix:///run/vault-kms.sock`,
		Args: cli.NoArgs,
	}
	dryRun := cmd.Flags().Bool("dry-run", false, "Make all checks and say what would be done, and change nothing.")
	cmd.Flags().StringVar(&wanted.Provider, "provider", "", "The `provider` to move to: aescbc, secretbox, kms or identity. (default the one in use)")
	cmd.Flags().StringVar(&wanted.KMSName, "kms-name", "", "The `name` of the KMS plugin, which is stored with everything it encrypts.")
	cmd.Flags().StringVar(&wanted.KMSEndpoint, "kms-endpoint", "", "The `socket` of the KMS plugin, such as unix:///run/kms.sock.")
	a.addTo(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(&wanted); err != nil {
			return err
		}
		return withRotator(cmd, &a, cmd.OutOrStdout(), func(ctx context.Context, r *secretsencrypt.Rotator) error {
			if *dryRun {
				p, err := r.Prepare(ctx, wanted)
				if err != nil {
					return err
				}
				writePlan(cmd.OutOrStdout(), p)
				return nil
			}
			p, err := r.Rotate(ctx, wanted)
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "done: all is stored with %s\n", p.Target.Short())
			}
			return err
		})
	}
	return cmd
}

// check refuses flags that do not go together.
func check(w *secretsencrypt.Wanted) error {
	isKMS := w.Provider == encryption.KMS
	switch w.Provider {
	case "", encryption.AESCBC, encryption.Secretbox, encryption.KMS, encryption.Identity:
	default:
		return cli.Usagef("--provider %q: want aescbc, secretbox, kms or identity", w.Provider)
	}
	switch {
	case isKMS && (w.KMSName == "" || w.KMSEndpoint == ""):
		return cli.Usagef("--provider kms: say which plugin, with --kms-name and --kms-endpoint")
	case !isKMS && (w.KMSName != "" || w.KMSEndpoint != ""):
		return cli.Usagef("--kms-name and --kms-endpoint are for --provider kms")
	}
	return nil
}

func writePlan(w io.Writer, p *secretsencrypt.Plan) {
	if r := p.UnderWay; r != nil {
		fmt.Fprintf(w, "a rotation to %s is under way: %s; it would go on\n", p.Target.Short(), r.Phase)
		return
	}
	fmt.Fprintf(w, "controllers: %s\n", strings.Join(p.Controllers, ", "))
	for i, before := range p.Before {
		fmt.Fprintf(w, "now:         %s\nthen:        %s\n", before, p.After[i])
	}
	for _, c := range p.Stored {
		fmt.Fprintf(w, "stored:      %d %s, %s\n", c.Objects, c.Resource, c.Provider)
	}
}
