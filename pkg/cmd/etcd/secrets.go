// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/snapshot"
)

// passphraseFlag adds --passphrase-file: a passphrase itself is never an argument,
// which everybody on the machine could see.
func passphraseFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("passphrase-file", "", "A `file` with the passphrase in its first line. (default asked for on the terminal)")
}

// recipients are for whom a pack is encrypted: those named, or who knows a
// passphrase.
func recipients(cmd *cobra.Command, named []string, passphraseFile string) ([]age.Recipient, error) {
	if len(named) > 0 && passphraseFile != "" {
		return nil, cli.Usagef("--recipient and --passphrase-file: choose one of the two")
	}
	var all []age.Recipient
	for _, text := range named {
		r, err := snapshot.ParseRecipient(text)
		if err != nil {
			return nil, cli.Usagef("--recipient %q: %v", text, err)
		}
		all = append(all, r)
	}
	if len(all) > 0 {
		return all, nil
	}
	secret, err := passphrase(cmd, passphraseFile, "--recipient", true)
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(secret)
	if err != nil {
		return nil, err
	}
	return []age.Recipient{r}, nil
}

// identities are what a pack is opened with.
func identities(cmd *cobra.Command, identityFile, passphraseFile string) ([]age.Identity, error) {
	if identityFile != "" && passphraseFile != "" {
		return nil, cli.Usagef("--identity and --passphrase-file: choose one of the two")
	}
	if identityFile != "" {
		all, err := snapshot.ReadIdentities(identityFile)
		if err != nil {
			return nil, fmt.Errorf("--identity: %w", err)
		}
		return all, nil
	}
	secret, err := passphrase(cmd, passphraseFile, "--identity", false)
	if err != nil {
		return nil, err
	}
	i, err := age.NewScryptIdentity(secret)
	if err != nil {
		return nil, err
	}
	return []age.Identity{i}, nil
}

// passphrase reads a passphrase from a file, or asks for it, twice for a new one.
func passphrase(cmd *cobra.Command, file, otherwise string, again bool) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("--passphrase-file: %w", err)
		}
		line, _, _ := bytes.Cut(data, []byte("\n"))
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			return "", fmt.Errorf("--passphrase-file: the first line of %s is empty", file)
		}
		return string(line), nil
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !cli.IsTerminal(in) {
		return "", cli.Usagef("the pack is encrypted, and nobody is here to be asked for a passphrase; use --passphrase-file or %s", otherwise)
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		secret, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(secret), err
	}
	secret, err := ask("Passphrase: ")
	if err != nil {
		return "", err
	}
	if secret == "" {
		return "", errors.New("the passphrase is empty")
	}
	if again {
		switch repeated, err := ask("The same again: "); {
		case err != nil:
			return "", err
		case repeated != secret:
			return "", errors.New("the two passphrases differ")
		}
	}
	return secret, nil
}

// keys are the flags with what a pack is opened with.
type keys struct{ identityFile, passphraseFile *string }

func keyFlags(cmd *cobra.Command) keys {
	return keys{
		cmd.Flags().String("identity", "", "A `file` with the private key, age's or ssh's, that opens what was saved with --with-pki."),
		passphraseFlag(cmd),
	}
}

// unpacked calls do with what is in a pack, and with nil where path is none.
func (k keys) unpacked(cmd *cobra.Command, c *config.Config, path string, do func(u *snapshot.Unpacked) error) error {
	if !snapshot.IsPack(path) {
		return do(nil)
	}
	with, err := identities(cmd, *k.identityFile, *k.passphraseFile)
	if err != nil {
		return err
	}
	u, err := snapshot.Unpack(path, paths.Snapshots.Below(c.Root), c.Root, with)
	if err != nil {
		return err
	}
	defer u.Close()
	return do(u)
}

// opened calls do with a snapshot, and with the names of the files in its pack.
func (k keys) opened(cmd *cobra.Command, c *config.Config, path string, do func(path string, files []string) error) error {
	return k.unpacked(cmd, c, path, func(u *snapshot.Unpacked) error {
		if u == nil {
			return do(path, nil)
		}
		var files []string
		for _, f := range u.Files {
			files = append(files, f.Path)
		}
		return do(u.Snapshot, files)
	})
}
