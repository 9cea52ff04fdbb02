// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// command runs the command on a root, below a parent, as the program does.
func command(t *testing.T, root string, args ...string) (string, error) {
	t.Helper()
	parent := &cobra.Command{Use: "khw-controller", SilenceErrors: true, SilenceUsage: true}
	parent.PersistentFlags().String(cli.RootFlag, "", "")
	parent.AddCommand(New())
	var out bytes.Buffer
	parent.SetOut(&out)
	parent.SetErr(&out)
	parent.SetArgs(append([]string{"certs", "--root", root}, args...))
	err := parent.ExecuteContext(t.Context())
	return out.String(), err
}

// lab is a root with the lab's files.
func lab(t *testing.T) (root string, f pki.Files) {
	t.Helper()
	root = t.TempDir()
	f = pki.FilesIn(filepath.Join(root, "var/lib/kubernetes"))
	if err := pki.Generate(f, pki.Spec{ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	return root, f
}

const here = "--advertise-address=192.0.2.10"

func TestList(t *testing.T) {
	root, f := lab(t)
	out, err := command(t, root, "list", here, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(all) != 5 || all[0].Path != f.CA || all[0].DaysLeft != 1824 || all[1].DaysLeft != 364 {
		t.Errorf("got %s", out)
	}
	out, err = command(t, root, "list", here)
	if err != nil || !strings.Contains(out, "admin.kubeconfig") || !strings.Contains(out, "CN=admin,O=system:masters") || strings.Count(out, "\n") != 6 {
		t.Errorf("got %v:\n%s", err, out)
	}
	if err := os.WriteFile(f.Cert, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, root, "list", here); err == nil || !strings.Contains(err.Error(), f.Cert) || strings.Count(out, "\n") != 5 {
		t.Errorf("got %v:\n%s", err, out)
	}
}

func TestRenew(t *testing.T) {
	root, f := lab(t)
	read := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	cert, scheduler := read(f.Cert), read(f.SchedulerKubeconfig)
	out, err := command(t, root, "renew", "--all", "--dry-run", here)
	if err != nil || !strings.Contains(out, "4 to renew") || !strings.Contains(out, "ca.pem: is of a CA") || read(f.Cert) != cert {
		t.Errorf("got %v:\n%s", err, out)
	}
	out, err = command(t, root, "renew", "kubernetes.pem", "kube-scheduler.kubeconfig", "-o", "json", here)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Renewed []struct {
			Name         string
			NeedsRestart bool
		}
		Left []string
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(r.Renewed) != 2 || r.Renewed[0].NeedsRestart || !r.Renewed[1].NeedsRestart || len(r.Left) != 0 {
		t.Errorf("got %+v", r)
	}
	if read(f.Cert) == cert || read(f.SchedulerKubeconfig) == scheduler {
		t.Error("nothing was renewed")
	}
}

func TestRenewWrongUsage(t *testing.T) {
	root, _ := lab(t)
	for args, usage := range map[string]bool{"renew": true, "renew --all kubernetes.pem": true, "renew nothing": false, "list more": true, "renew --al": true} {
		_, err := command(t, root, append(strings.Fields(args), here)...)
		var wrong cli.UsageError
		if err == nil || errors.As(err, &wrong) != usage && args != "renew --al" {
			t.Errorf("%s: got %v", args, err)
		}
	}
}

func TestDays(t *testing.T) {
	for d, want := range map[time.Duration]int{0: 0, time.Hour: 0, 47 * time.Hour: 1, -time.Hour: -1, -24 * time.Hour: -1, -25 * time.Hour: -2} {
		if got := days(d); got != want {
			t.Errorf("%s: %d days, want %d", d, got, want)
		}
	}
}
