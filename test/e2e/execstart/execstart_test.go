// SPDX-License-Identifier: Apache-2.0

// Package execstart starts the lab's three ExecStart lines, word for word but
// for addresses and paths, with this binary under the names that they call.
package execstart

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// otherFlagsOf2018 are what lines of that time often had besides the lab's flags.
var otherFlagsOf2018 = map[lab.Component][]string{
	lab.APIServer:         {"--insecure-port", "0", "--etcd-quorum-read", "--logtostderr=true"},
	lab.ControllerManager: {"--port=0", "--horizontal-pod-autoscaler-use-rest-clients=true"},
	lab.Scheduler:         {"--port=0", "--leader-elect-resource-lock=endpoints"},
}

func TestExecStartLinesOfTheLab(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("lab", e.DefaultPorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 1)
	bin := e.Path("bin")
	link(e, bin)
	host, err := process.HostAddress()
	e.Must(err)
	adjust := strings.NewReplacer(
		"${INTERNAL_IP}", host.String(),
		"https://10.240.0.10:2379,https://10.240.0.11:2379,https://10.240.0.12:2379", strings.Join(etcd.URLs(), ","),
		"0.0.0.0", "127.0.0.1",
		"/usr/local/bin", bin,
		"/var/", c.Root+"/var/",
		"/etc/", c.Root+"/etc/",
	)
	text, err := os.ReadFile("../../../pkg/lab/testdata/units.txt")
	e.Must(err)
	units := adjust.Replace(string(text))
	e.Must(os.MkdirAll(filepath.Join(c.Root, "etc/kubernetes/config"), 0o755))
	e.Must(os.MkdirAll(filepath.Join(c.Root, "var/log"), 0o755))
	e.Must(os.WriteFile(filepath.Join(c.Root, "etc/kubernetes/config/kube-scheduler.yaml"), []byte(schedulerConfig(t, units)), 0o600))

	running := map[lab.Component]*process.Process{}
	start := func(component lab.Component) {
		argv := append(execStart(t, units, component), otherFlagsOf2018[component]...)
		running[component] = e.Start(string(component), process.Spec{Path: argv[0], Args: argv[1:]})
	}
	for _, component := range lab.Components() {
		start(component)
	}
	kubectl := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "kubectl"),
			append([]string{"--kubeconfig", c.Lab("admin.kubeconfig")}, args...)...).Output()
		return string(out), err
	}
	want := map[string]bool{"controller-manager": true, "scheduler": true, "etcd-0": true}
	e.Eventually("healthy componentstatuses and both leases", func(ctx context.Context) error {
		for component, p := range running {
			if !p.Running() {
				start(component) // Restart=on-failure
			}
		}
		out, err := kubectl("get", "componentstatuses", "-o", "json")
		if err != nil {
			return err
		}
		health, err := cluster.ComponentHealth(out)
		if err != nil {
			return err
		}
		if !maps.Equal(health, want) {
			return errors.New("componentstatuses: " + out)
		}
		return cluster.BothHeld(ctx, c.Client())
	})
	says(t, running[lab.APIServer], "--enable-swagger-ui", "--kubelet-https", "--encryption-provider-config", "Initializers",
		"--service-account-issuer", "--service-account-signing-key-file", "api/all=true",
		"--insecure-port", "--etcd-quorum-read", "--logtostderr")
	says(t, running[lab.ControllerManager], "--bind-address", "--port", "--horizontal-pod-autoscaler-use-rest-clients")
	says(t, running[lab.Scheduler], "--port", "--leader-elect-resource-lock: leases")

	for _, component := range []lab.Component{lab.Scheduler, lab.ControllerManager, lab.APIServer} {
		if _, err := running[component].Stop(harness.Patience); err != nil {
			t.Errorf("%s: %v", component, err)
		}
	}
}

// link makes the names that the lab's lines call.
func link(e *harness.Env, bin string) {
	e.Helper()
	e.Must(os.MkdirAll(bin, 0o755))
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		e.Must(os.Symlink(e.Binary(), filepath.Join(bin, name)))
	}
}

// execStart returns the words of a unit's ExecStart, as systemd sees them once
// the shell has written the file: `\\` at a line's end continues it.
func execStart(t *testing.T, units string, component lab.Component) []string {
	t.Helper()
	_, line, found := strings.Cut(units, "ExecStart=")
	for found && !strings.Contains(strings.SplitN(line, " ", 2)[0], string(component)) {
		_, line, found = strings.Cut(line, "ExecStart=")
	}
	if !found {
		t.Fatalf("the lab has no ExecStart for %s", component)
	}
	line, _, _ = strings.Cut(line, "\nRestart=")
	return strings.Fields(strings.ReplaceAll(line, "\\\\\n", " "))
}

// schedulerConfig returns the lab's kube-scheduler.yaml.
func schedulerConfig(t *testing.T, units string) string {
	t.Helper()
	_, file, found := strings.Cut(units, "kube-scheduler.yaml\n")
	file, _, ended := strings.Cut(file, "\nEOF\n")
	if !found || !ended {
		t.Fatal("the lab has no kube-scheduler.yaml")
	}
	return file
}

// says wants a notice about each of texts in what p has said.
func says(t *testing.T, p *process.Process, texts ...string) {
	t.Helper()
	out := strings.Join(p.Lines(), "\n")
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%s says nothing about %s", p.Log, text)
		}
	}
}
