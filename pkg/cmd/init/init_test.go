// SPDX-License-Identifier: Apache-2.0

package init

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// run runs the command below a parent, as the program does.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "khw-controller", SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().String(cli.RootFlag, "", "")
	root.AddCommand(New())
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"init"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

const three = "controller-0=10.240.0.10,controller-1=10.240.0.11,controller-2=10.240.0.12"

func TestInit(t *testing.T) {
	t.Chdir(t.TempDir())
	args := []string{"--controllers", three, "--public-address", "203.0.113.10", "--key-algorithm", "ecdsa"}
	out, err := run(t, append(args, "--dry-run")...)
	if err != nil || !strings.Contains(out, "11 files to write") {
		t.Errorf("got %v:\n%s", err, out)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
		t.Errorf("a dry run has made %v, %v", entries, err)
	}
	out, err = run(t, args...)
	if err != nil || !strings.Contains(out, "+ khw-bundle/kubernetes-key.pem\n") || !strings.Contains(out, "https://203.0.113.10:6443") {
		t.Errorf("got %v:\n%s", err, out)
	}
	out, err = run(t, "-o", "json", "--controllers", "controller-3=10.240.0.13")
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.Pending != 3 || len(r.Files) != 11 || len(r.Controllers) != 4 || len(r.Warnings) != 1 {
		t.Errorf("got %+v", r)
	}
	if out, err = run(t, "--profile", "edge"); err != nil || !strings.Contains(out, "~ khw-bundle/khw-controller.yaml: it has another profile\n") {
		t.Errorf("got %v:\n%s", err, out)
	}
	if out, err = run(t, "--profile", "large"); err == nil || !strings.Contains(err.Error(), `--profile: there is no profile "large"; want edge or cis`) {
		t.Errorf("got %v:\n%s", err, out)
	}
}

func TestOneController(t *testing.T) {
	t.Chdir(t.TempDir())
	out, err := run(t, "--key-algorithm", "ecdsa")
	if err != nil {
		// Where there is no address for others, it says how to name one.
		if !strings.Contains(err.Error(), "--controllers") {
			t.Error(err)
		}
		return
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "On each of "+strings.ToLower(name)+"=") {
		t.Errorf("got:\n%s", out)
	}
}

func TestWrongUsage(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("text", []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, says := range map[string]string{
		"--controllers a":                                                  "want name=address",
		"--controllers a=10.0.0.1,b=10.0.0.1":                              "have the same address",
		"--controllers a=10.0.0.1 --key-algorithm dsa":                     `--key-algorithm "dsa"`,
		"--controllers a=10.0.0.1 --ca text":                               "--ca and --ca-key go together",
		"--controllers a=10.0.0.1 --ca gone --ca-key text":                 "--ca: open gone",
		"--controllers a=10.0.0.1 --ca text --ca-key gone":                 "--ca-key: open gone",
		"--controllers a=10.0.0.1 --ca text --ca-key text":                 "--ca text: holds no certificate",
		"--controllers a=10.0.0.1 --out - --dry-run":                       "leave out --dry-run",
		"--controllers a=10.0.0.1 --out=":                                  "--out is empty",
		"--controllers a=10.0.0.1 --print nginx":                           `--print "nginx" is not known`,
		"--controllers a=10.0.0.1 --print keepalived":                      "want the virtual IP address",
		"--controllers a=10.0.0.1 --print kube-vip --public-address lb.io": "want the virtual IP address",
		"--print haproxy":                                                  "which controllers?",
		"--controllers a=10.0.0.1 --print haproxy --dry-run":               "--print makes nothing",
		"--root x --controllers a=10.0.0.1":                                "--root",
		"more":                                                             "takes no arguments",
	} {
		out, err := run(t, strings.Fields(args)...)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want an error with %q\n%s", args, err, says, out)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("made: %v, %v", entries, err)
	}
}

// TestPrintedConfigurations has the balancers judge what is printed, where they are
// installed.
func TestPrintedConfigurations(t *testing.T) {
	dir, iface := t.TempDir(), "eth0"
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 {
			iface = i.Name
		}
	}
	for balancer, judge := range map[string][]string{
		"haproxy":    {"haproxy", "-c", "-f"},
		"keepalived": {"keepalived", "-t", "-f"},
		"kube-vip":   {"systemd-analyze", "verify", "--man=no", "--recursive-errors=no"},
	} {
		for name, list := range map[string][2]string{
			"IPv4": {three, "10.240.0.100"},
			"IPv6": {"a=fd00::10,b=fd00::11,c=fd00::12", "fd00::100"},
		} {
			t.Run(balancer+" "+name, func(t *testing.T) {
				out, err := run(t, "--controllers", list[0], "--public-address", list[1], "--interface", iface, "--print", balancer)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"80", "/healthz", "6443"} {
					if balancer != "keepalived" && !strings.Contains(out, want) || !strings.Contains(out, "/healthz") {
						t.Errorf("without %s:\n%s", want, out)
					}
				}
				_, missing := exec.LookPath(judge[0])
				if _, err := net.InterfaceByName(iface); err != nil && balancer == "keepalived" {
					missing = err
				}
				if missing != nil {
					t.Skipf("not judged: %v", missing)
				}
				if balancer == "kube-vip" {
					out = strings.Replace(out, "/usr/local/bin/kube-vip", "/bin/true", 1)
					out = strings.ReplaceAll(out, "/usr/bin/curl", "/bin/true")
				}
				path := filepath.Join(dir, balancer+name+".service")
				if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
					t.Fatal(err)
				}
				said, err := exec.CommandContext(t.Context(), judge[0], append(judge[1:], path)...).CombinedOutput()
				if balancer == "keepalived" && len(said) == 0 {
					err = nil // where it may not do all it wants to, it ends itself with SIGTERM, -t or not
				}
				if err != nil {
					t.Errorf("%s: %v: %s", strings.Join(judge, " "), err, said)
				}
			})
		}
	}
}
