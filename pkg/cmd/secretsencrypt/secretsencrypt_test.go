// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/secretsencrypt"
)

// command runs the command on a root, below a parent, as the program does.
func command(t *testing.T, root string, args ...string) error {
	t.Helper()
	parent := &cobra.Command{Use: "khw-controller", SilenceErrors: true, SilenceUsage: true}
	parent.PersistentFlags().String(cli.RootFlag, "", "")
	parent.AddCommand(New())
	parent.SetOut(io.Discard)
	parent.SetErr(io.Discard)
	parent.SetArgs(append([]string{"secrets-encrypt", "--root", root, "--advertise-address=192.0.2.10"}, args...))
	return parent.ExecuteContext(t.Context())
}

func TestWrongUsage(t *testing.T) {
	for args, says := range map[string]string{
		"rotate --provider rot13":                               `"rot13": want aescbc, secretbox, kms or identity`,
		"rotate --provider kms":                                 "--kms-name and --kms-endpoint",
		"rotate --provider kms --kms-name x":                    "--kms-name and --kms-endpoint",
		"rotate --provider aescbc --kms-endpoint unix:///run/x": "are for --provider kms",
		"rotate now":     "takes no arguments",
		"status secrets": "takes no arguments",
	} {
		err := command(t, t.TempDir(), strings.Fields(args)...)
		var wrong cli.UsageError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", args, err, says)
		}
	}
}

// TestWhereNothingRuns wants one line that says so.
func TestWhereNothingRuns(t *testing.T) {
	root := t.TempDir()
	for _, args := range [][]string{{"status"}, {"rotate"}, {"rotate", "--dry-run"}} {
		if err := command(t, root, args...); err == nil || !strings.Contains(err.Error(), "the admin's kubeconfig") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v without files: %v", args, err)
		}
	}
	f := pki.FilesIn(filepath.Join(root, "var/lib/kubernetes"))
	if err := pki.Generate(f, pki.Spec{ServerHost: "127.0.0.1", ServerPort: 1}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(f.EncryptionConfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"status"}, {"rotate"}, {"rotate", "--dry-run"}} {
		err := command(t, root, args...)
		if err == nil || !strings.Contains(err.Error(), "the apiserver at 127.0.0.1:1 ("+f.AdminKubeconfig+") refuses the connection") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if after, err := os.ReadFile(f.EncryptionConfig); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the configuration has changed, %v", err)
	}
}

func TestStatusIsShown(t *testing.T) {
	now := time.Now()
	s := &secretsencrypt.Status{
		Controllers: []secretsencrypt.ControllerStatus{{
			Report: secretsencrypt.Report{
				Controller: "controller-0", File: "sha256:0123456789abcdef", InForce: "", Providers: []string{"secrets: aescbc key1, identity"},
			},
			Reported: now.Add(-3 * time.Second),
		}},
		Rotation: &secretsencrypt.Rotation{Phase: secretsencrypt.First, Started: now, Target: encryption.Target{Provider: "aescbc", Key: "key-2", Secret: "hidden"}},
		Stored:   []secretsencrypt.Stored{{Resource: "secrets", Provider: "aescbc", Key: "key1", Objects: 12}},
		Next:     "go on",
	}
	var out bytes.Buffer
	if err := writeStatus(&out, s, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"controller-0  3s ago    none      0123456789ab; secrets: aescbc key1, identity\n", "secrets  12       aescbc key1\n", ": aescbc key-2, made first\n", "Next: go on\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	if err := cli.WriteJSON(&out, s); err != nil || strings.Contains(out.String(), "hidden") {
		t.Errorf("%v, the key is shown:\n%s", err, out.String())
	}
}
