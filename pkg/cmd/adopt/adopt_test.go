// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// runCommand runs the command below a parent, as the program does.
func runCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	parent := &cobra.Command{Use: "khw-controller", SilenceErrors: true, SilenceUsage: true}
	parent.PersistentFlags().String(cli.RootFlag, "", "")
	parent.SetFlagErrorFunc(cli.FlagError)
	parent.AddCommand(New())
	var out bytes.Buffer
	parent.SetOut(&out)
	parent.SetErr(&out)
	parent.SetArgs(append([]string{"adopt"}, args...))
	err := parent.ExecuteContext(t.Context())
	return out.String(), err
}

// newer is a controller made after a newer edition of the lab.
func newer(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("../../adopt/testdata/newer")); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestDryRunBelowARoot(t *testing.T) {
	root := newer(t)
	config := filepath.Join(root, "etc/kubernetes/config/khw-controller.yaml")
	out, err := runCommand(t, "--root", root, "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"kube-scheduler.service", "Would be written to " + config, "service-account-issuer=https://server.kubernetes.local:6443", "missing  /var/lib/kubernetes/ca.crt"} {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not said in:\n%s", text, out)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "etc/kubernetes")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

func TestWriteBelowARoot(t *testing.T) {
	root := newer(t)
	out, err := runCommand(t, "--root", root, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Written bool
		Path    string
		Content string
		Units   []struct{ Name, Path, Program string }
		Values  []struct{ Key, Value, Lab, Why string }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(r.Path)
	if err != nil || !r.Written || string(data) != r.Content || len(r.Units) != 3 || len(r.Values) < 10 || r.Values[0].Key != "etcd-servers" {
		t.Errorf("got %v, %+v", err, r)
	}
	// A file of somebody's own is not overwritten.
	other := newer(t)
	mine := filepath.Join(other, "etc/kubernetes/config/khw-controller.yaml")
	if err := os.MkdirAll(filepath.Dir(mine), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("v: 4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := runCommand(t, "--root", other); err == nil || !strings.Contains(err.Error(), mine+":1: has settings already") {
		t.Errorf("got %v", err)
	}
	if _, err := runCommand(t, "--root", t.TempDir()); err == nil || !strings.Contains(err.Error(), "kube-apiserver.service, kube-controller-manager.service, kube-scheduler.service: not found") {
		t.Errorf("an empty root: %v", err)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range []string{"--apply --undo", "--apply --dry-run", "--undo --dry-run", "--apply --root /tmp", "--undo --root /tmp", "more", "--timeout 0s --root /tmp", "--drain -1s --root /tmp", "-o yaml", "--aply"} {
		_, err := runCommand(t, strings.Fields(args)...)
		var wrong cli.UsageError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: got %v", args, err)
		}
	}
}
