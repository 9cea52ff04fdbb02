// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// start runs the program as a shell would, and returns all that it says.
func start(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e}, append([]string{"/usr/bin/khw-controller"}, args...))
	return code, o.String(), e.String()
}

func TestWrongUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"unknown command, near":    {[]string{"rum"}, "there is no command \"rum\"; did you mean run?"},
		"unknown command, far":     {[]string{"zzzzzzzz"}, "there is no command \"zzzzzzzz\"; see khw-controller --help"},
		"unknown flag, near":       {[]string{"run", "--adverise-address=1.2.3.4"}, "there is no flag --adverise-address; did you mean --advertise-address?"},
		"unknown flag, far":        {[]string{"check", "--zzzzzzzz"}, "there is no flag --zzzzzzzz; see khw-controller check --help"},
		"an argument":              {[]string{"version", "please"}, `khw-controller version takes no arguments, but was given "please"`},
		"a format":                 {[]string{"flags", "-o", "xml"}, "want one of text, json, yaml, unit"},
		"no value":                 {[]string{"run", "--etcd-servers"}, "etcd-servers"},
		"a component's flag":       {[]string{"flags", "--advertise-address=10.240.0.10", "--kube-apiserver-arg", "event-tl=1h"}, "--kube-apiserver-arg event-tl: there is no such flag; did you mean --kube-apiserver-arg event-ttl?"},
		"an address with a scheme": {[]string{"verify", "--advertise-address=192.0.2.10", "--address=https://lb"}, "--address \"https://lb\": want the load balancer's name or address"},
		"no address":               {[]string{"flags", "--advertise-address=127.0.0.1"}, "--advertise-address \"127.0.0.1\""},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := start(t, append([]string{"--root", t.TempDir()}, test.args...)...)
			if code != 2 || out != "" {
				t.Errorf("exit code %d, want 2; it prints %q", code, out)
			}
			if !strings.HasPrefix(errOut, "khw-controller: ") || strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, test.says) {
				t.Errorf("it says %q, want one line with %q", errOut, test.says)
			}
		})
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, c := range newRoot(cli.Streams{}).Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Short == "" || c.Long == "" && c.Name() != "version" || !strings.Contains(c.Example, "khw-controller "+c.Name()) {
			t.Errorf("%s: short %q, long %q, example %q", c.Name(), c.Short, c.Long, c.Example)
		}
	}
	for _, args := range [][]string{nil, {"--help"}, {"run", "--help"}, {"check", "-h"}, {"help", "flags"}} {
		code, out, errOut := start(t, args...)
		if code != 0 || !strings.Contains(out, "Usage:") || errOut != "" {
			t.Errorf("%v: exit code %d, %q on stderr, and %q", args, code, errOut, out)
		}
	}
}

func TestCheckReportsAsJSONAndChangesNothing(t *testing.T) {
	own, err := utilnet.ChooseHostInterface()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, test := range []struct {
		prepare func()
		code    int
	}{
		{func() {}, 0},
		{func() {
			dir := filepath.Join(root, "var/lib/kubernetes")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "ca.pem"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1},
	} {
		test.prepare()
		before := names(t, root)
		code, out, errOut := start(t, "check", "-o", "json", "--root", root, "--advertise-address", own.String(),
			"--kube-apiserver-arg", "bind-address=127.0.0.1", "--kube-apiserver-arg", "secure-port=16443",
			"--healthz-bind-address=", "--kube-controller-manager-arg", "secure-port=0", "--kube-scheduler-arg", "secure-port=0",
			"--etcd-arg", "listen-client-urls=https://127.0.0.1:12379", "--etcd-arg", "listen-peer-urls=https://127.0.0.1:12380")
		if code != test.code || errOut != "" {
			t.Errorf("exit code %d, want %d; it says %q and %s", code, test.code, errOut, out)
		}
		var report struct {
			Findings []struct{ Severity, Subject, Problem, Fix string }
			Notices  []string
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if (len(report.Findings) > 0) != (test.code == 1) {
			t.Errorf("exit code %d with findings %v", code, report.Findings)
		}
		if after := names(t, root); after != before {
			t.Errorf("it changed %q to %q", before, after)
		}
	}
}

// names lists everything below dir.
func names(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestFlagsShowWhatIsInForce(t *testing.T) {
	code, out, errOut := start(t, "flags", "-o", "unit", "--root", t.TempDir(), "--advertise-address", "10.240.0.10",
		"--etcd-servers", "https://10.240.0.10:2379", "--kube-apiserver-arg", "event-ttl=2h")
	if code != 0 || errOut != "" {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	for _, want := range []string{"ExecStart=/usr/local/bin/kube-apiserver \\\n  --advertise-address=10.240.0.10 \\\n", "--event-ttl=2h \\\n", "--etcd-servers=https://10.240.0.10:2379"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

func TestManWritesAPageOfEveryCommand(t *testing.T) {
	dir := t.TempDir()
	if code, out, errOut := start(t, "man", dir); code != 0 || out != "" || errOut != "" {
		t.Fatalf("exit code %d: %s %s", code, out, errOut)
	}
	for _, c := range newRoot(cli.Streams{}).Commands() {
		page, err := os.ReadFile(filepath.Join(dir, "khw-controller-"+c.Name()+".1"))
		switch {
		case c.Hidden:
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is hidden and has a page: %v", c.Name(), err)
			}
		case err != nil:
			t.Error(err)
		case !bytes.Contains(page, []byte(".SH EXAMPLE")):
			t.Errorf("the page of %s has no example", c.Name())
		}
	}
	if code, _, errOut := start(t, "man"); code != 2 || !strings.Contains(errOut, "a directory") {
		t.Errorf("without a directory: exit code %d, %q", code, errOut)
	}
}

func TestQuietCheckSaysOnlyWhatStandsInTheWay(t *testing.T) {
	root := t.TempDir()
	args := []string{"check", "--quiet", "--root", root, "--advertise-address", "192.0.2.10", "--healthz-bind-address=",
		"--kube-apiserver-arg", "bind-address=127.0.0.1", "--kube-apiserver-arg", "secure-port=16444",
		"--kube-apiserver-arg", "experimental-encryption-provider-config=" + filepath.Join(root, "var/lib/kubernetes/encryption-config.yaml"), // a notice
		"--kube-controller-manager-arg", "secure-port=0", "--kube-scheduler-arg", "secure-port=0",
		"--etcd-arg", "listen-client-urls=https://127.0.0.1:12381", "--etcd-arg", "listen-peer-urls=https://127.0.0.1:12382"}
	if code, out, errOut := start(t, args...); code != 0 || out != "" || errOut != "" {
		t.Errorf("nothing stands in the way: exit code %d, %q, %q", code, out, errOut)
	}
	dir := filepath.Join(root, "var/lib/kubernetes")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := start(t, args...)
	if code != 1 || !strings.HasPrefix(out, "error    ") || strings.Contains(out, "notice") || errOut != "" {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
}

func TestVersion(t *testing.T) {
	code, out, _ := start(t, "version", "-o", "json")
	var v struct {
		Kubernetes struct{ GitVersion string }
		Etcd       string
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Kubernetes.GitVersion == "" || v.Etcd != "v3.7.3" {
		t.Errorf("exit code %d, %s, %v", code, out, err)
	}
}
