// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/snapshot"
)

func newSnapshot() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Save, restore and look at snapshots of etcd",
		Long: `Save, restore and look at snapshots of etcd. run saves one every twelve hours,
see --snapshot-interval and --snapshot-keep there, and copies each into a bucket
where --snapshot-s3-bucket names one.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSave(), newRestore(), newSnapshotStatus(), newList(), newPrune())
	return cmd
}

// dirFlag adds --dir; its value may be empty, see dirIn.
func dirFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("dir", "", "The `directory` of the snapshots. (default "+string(paths.Snapshots)+" below the root)")
}

func dirIn(root, dir string) string { return cmp.Or(dir, paths.Snapshots.Below(root)) }

func newSave() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "save",
		Short: "Save a snapshot of a running etcd",
		Long: `Save a snapshot of a running etcd, embedded or external, under a name with its
time and revision. It is written under another name, verified, and then renamed;
nothing is left of one that did not succeed, and none is ever overwritten. Where
--snapshot-s3-bucket names a bucket, it is copied there too, with a checksum; when
that fails, the command does, and the file stays.

Secrets in a snapshot are encrypted as they are in etcd: keep the encryption
configuration with it, or nobody can ever read them. With --with-pki, it is saved
in one file with the encryption configuration, the CA, and all keys, certificates
and kubeconfigs of the lab's, encrypted by age: to public keys (--recipient), or
with a passphrase, which is asked for.`,
		Example: `  sudo khw-controller etcd snapshot save
  sudo khw-controller etcd snapshot save --with-pki --recipient age1… --recipient "$(cat ~/.ssh/id_ed25519.pub)"
  khw-controller etcd snapshot save --dir /mnt/backup -o json`,
		Args: cli.NoArgs,
	}
	output, dir := cli.AddOutput(cmd, "json"), dirFlag(cmd)
	withPKI := cmd.Flags().Bool("with-pki", false, "Save it with the files that it takes to serve it, encrypted, in one file.")
	named := cmd.Flags().StringArray("recipient", nil, "A public `key` to encrypt it to: age1…, or a line of a .pub file of ssh's. Repeatable.")
	passphraseFile := passphraseFlag(cmd)
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !*withPKI && (len(*named) > 0 || *passphraseFile != "") {
			return cli.Usagef("--recipient and --passphrase-file are for --with-pki: a snapshot alone is not encrypted")
		}
		p, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		defer p.Close()
		var all saved
		if *withPKI {
			all.Packed, err = savePacked(cmd, p, dirIn(p.Config.Root, *dir), *named, *passphraseFile)
		} else {
			all.Saved, err = snapshot.Save(cmd.Context(), p.EtcdAccess, dirIn(p.Config.Root, *dir))
		}
		if err != nil {
			return err
		}
		if all.Copy, err = upload(cmd.Context(), p, all.Path); err != nil {
			return err
		}
		if output.String() == "json" {
			return cli.WriteJSON(cmd.OutOrStdout(), all)
		}
		return writeSaved(cmd.OutOrStdout(), p, all)
	}
	return cmd
}

func savePacked(cmd *cobra.Command, p *plan.Plan, dir string, named []string, passphraseFile string) (snapshot.Packed, error) {
	to, err := recipients(cmd, named, passphraseFile)
	if err != nil {
		return snapshot.Packed{}, err
	}
	return snapshot.SavePacked(cmd.Context(), p.EtcdAccess, dir, p.Config.Root, p.SecretFiles(), to)
}

// saved is what save tells.
type saved struct {
	snapshot.Packed
	// Copy is its URL in the bucket, or empty.
	Copy string `json:"copy,omitempty"`
}

func writeSaved(w io.Writer, p *plan.Plan, s saved) error {
	if err := writeInfo(w, s.Info); err != nil {
		return err
	}
	if s.Copy != "" {
		fmt.Fprintf(w, "copied to %s\n", s.Copy)
	}
	if s.Stale {
		fmt.Fprintf(w, "warning: %s does not reach most other members; what was written last may be missing\n", s.From)
	}
	if len(s.Files) > 0 {
		fmt.Fprintf(w, "Encrypted, and with it: %s\n", strings.Join(s.Files, ", "))
	} else if path := p.EncryptionConfig.Path; path != "" {
		fmt.Fprintf(w, "Keep %s with it, as it is now: without it, nobody can read the secrets in the snapshot.\n", path)
	}
	return nil
}

func newSnapshotStatus() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "status FILE|s3://BUCKET/KEY",
		Short: "Verify a snapshot and say what is in it",
		Long: `Read all of a snapshot, compare it with the checksum that etcd has appended,
check the database in it, and say what it holds. To restore it takes the
encryption configuration of its time too, unless that is in the file, by
save --with-pki.`,
		Args: oneFile,
	}
	output, keys := cli.AddOutput(cmd, "json"), keyFlags(cmd)
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := load(cmd, &flags)
		if err != nil {
			return err
		}
		var told struct {
			snapshot.Info
			// Files are those beside the snapshot in it.
			Files []string `json:"files,omitempty"`
		}
		err = located(cmd.Context(), c, args[0], func(path string) error {
			return keys.opened(cmd, c, path, func(path string, files []string) (err error) {
				told.Files = files
				told.Info, err = snapshot.Verify(path)
				return err
			})
		})
		if err != nil {
			return err
		}
		told.Path = args[0]
		if output.String() == "json" {
			return cli.WriteJSON(cmd.OutOrStdout(), told)
		}
		if err := writeInfo(cmd.OutOrStdout(), told.Info); err != nil {
			return err
		}
		if len(told.Files) > 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "With it: %s\n", strings.Join(told.Files, ", "))
		} else {
			fmt.Fprintln(cmd.OutOrStdout(), "The secrets in it can be read with the encryption configuration of its time only.")
		}
		return nil
	}
	return cmd
}

func writeInfo(w io.Writer, i snapshot.Info) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"file", i.Path}, {"hash", i.Hash}, {"revision", fmt.Sprint(i.Revision)}, {"keys", fmt.Sprint(i.Keys)},
		{"size", fmt.Sprintf("%d bytes", i.Size)}, {"version", cmp.Or(i.Version, "before 3.6, or not said")},
	} {
		fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
	}
	return table.Flush()
}

func newList() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the snapshots, the newest first",
		Long: `List the snapshots by their names, the newest first: those here, and all
controllers' in the bucket where --snapshot-s3-bucket names one. status says
whether one is good.`,
		Args: cli.NoArgs,
	}
	output, dir := cli.AddOutput(cmd, "json"), dirFlag(cmd)
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load(cmd, &flags)
		if err != nil {
			return err
		}
		files, err := snapshot.ListAll(dirIn(c.Root, *dir))
		if err != nil {
			return err
		}
		if c.SnapshotS3.Bucket != "" { // what is here is told in any case
			var there []snapshot.File
			there, err = snapshot.Remote{Config: plan.Bucket(c.SnapshotS3)}.List(cmd.Context())
			files = append(files, there...)
		}
		if output.String() == "json" {
			return errors.Join(err, cli.WriteJSON(cmd.OutOrStdout(), files))
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TAKEN\tREVISION\tSIZE\tFILE")
		for _, f := range files {
			fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", f.Taken.Format(time.RFC3339), f.Revision, f.Size, f.Path)
		}
		return errors.Join(err, table.Flush())
	}
	return cmd
}

func newPrune() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete all snapshots but the newest ones",
		Long: `Delete all snapshots but the newest ones: those here, and this controller's own in
the bucket where --snapshot-s3-bucket names one. What was saved with --with-pki
stays.`,
		Args: cli.NoArgs,
	}
	dir := dirFlag(cmd)
	keep := cmd.Flags().Int("keep", 5, "How `many` are kept; at least 1.")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *keep < 1 {
			return cli.Usagef("--keep %d: keep at least 1", *keep)
		}
		p, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		defer p.Close()
		pruned, err := snapshot.Prune(dirIn(p.Config.Root, *dir), *keep)
		if remote := p.SnapshotRemote(); remote != nil && err == nil {
			var there []snapshot.File
			there, err = remote.Prune(cmd.Context(), *keep)
			pruned = append(pruned, there...)
		}
		for _, f := range pruned {
			fmt.Fprintf(cmd.OutOrStdout(), "deleted %s\n", f.Path)
		}
		return err
	}
	return cmd
}

// oneFile wants a file for the only argument.
var oneFile = one("snapshot file", "khw-controller etcd snapshot list")
