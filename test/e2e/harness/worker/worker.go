// SPDX-License-Identifier: Apache-2.0

// Package worker joins real workers to a control plane, as the lab's chapters 09 and 11
// have it: containerd, runc, the CNI plugins, the kubelet and kube-proxy, in namespaces
// that go with the test. Nothing is pulled from a registry: the images that a test
// needs are made here. It takes root, and what make worker builds.
package worker

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Spec says which worker it is.
type Spec struct {
	// Index is the lab's: worker-0 is 10.240.0.20, and its pods are in 10.200.0.0/24.
	Index int
	// Server is where it reaches the apiserver.
	Server string
	// Files has the lab's certificates, and its CA signs those of the worker.
	Files *harness.Controller
	// Token is that of a TLS bootstrap; without, the worker has the lab's certificate.
	Token string
	// Conformance has it have the images of upstream's conformance tests, on a Debian,
	// instead of the few that other tests do with.
	Conformance bool
}

// Name is its host name, and its node's.
func (s Spec) Name() string { return fmt.Sprintf("worker-%d", s.Index) }

// Address is where the network reaches it.
func (s Spec) Address() string { return fmt.Sprintf("10.240.0.%d", 20+s.Index) }

// PodCIDR is where the addresses of its pods are from.
func (s Spec) PodCIDR() string { return fmt.Sprintf("10.200.%d.0/24", s.Index) }

// Names are those of so many workers, with their addresses: what the lab's network knows
// by DNS, and an apiserver that is to reach a kubelet has to know.
func Names(workers int) map[string]string {
	names := map[string]string{}
	for i := range workers {
		s := Spec{Index: i}
		names[s.Name()] = s.Address()
	}
	return names
}

// CoreDNSManifest is the lab's chapter 12, with the DNS server that has taken kube-dns'
// place.
//
//go:embed files/coredns.yaml
var CoreDNSManifest []byte

// Worker is one that runs.
type Worker struct {
	*harness.Env
	Spec

	dir  string
	host *machine.Host
	// first is the process that holds the namespaces, but for the network's.
	first *process.Process
}

//go:embed init.sh
var initScript string

// programs is where they are, in the worker.
const programs = "/usr/local/bin/"

// Start starts a worker on a network: its runtime with the images, its kubelet and its
// proxy.
func Start(network *machine.Network, s Spec) *Worker {
	network.Helper()
	w := &Worker{Env: network.Env, Spec: s, dir: network.Path(s.Name()), host: network.Host(s.Name(), s.Address())}
	network.Route(s.PodCIDR(), s.Address())
	w.prepare()
	w.boot()
	w.start("containerd")
	w.Eventually("the runtime of "+w.Name(), func(ctx context.Context) error {
		_, err := w.run(ctx, programs+"ctr", "version")
		return err
	})
	w.importImages()
	kubelet := []string{"--config=/var/lib/kubelet/kubelet-config.yaml", "--kubeconfig=/var/lib/kubelet/kubeconfig", "--v=2"}
	if s.Token != "" {
		kubelet = append(kubelet, "--bootstrap-kubeconfig=/var/lib/kubelet/bootstrap-kubeconfig")
	}
	w.start("kubelet", kubelet...)
	w.start("kube-proxy", "--config=/var/lib/kube-proxy/kube-proxy-config.yaml", "--v=2")
	return w
}

// boot makes the namespaces.
func (w *Worker) boot() {
	w.Helper()
	built := filepath.Dir(w.WorkerProgram("kubelet"))
	machine.RemoveControlGroups(w.Env, w.controlGroups())
	w.first = w.host.Start(w.Name(), process.Spec{
		Path: "/usr/bin/unshare",
		Args: []string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "--ipc", "/bin/sh", "-c", initScript, "init.sh", w.Name(), w.dir, built},
	})
	w.WithinAlive(w.first, harness.Patience, w.Name()+" to be up", func(context.Context) error {
		if !slices.Contains(w.first.Lines(), "up") {
			return errors.New(w.first.Tail(1))
		}
		return nil
	})
}

// controlGroup is the one that its pods are in, below the root of each hierarchy: the
// kubelet does not know that it is not alone on its machine.
func (w *Worker) controlGroup() string { return filepath.Base(w.Dir) + "-" + w.Name() }

// controlGroups makes it, and returns its directories.
func (w *Worker) controlGroups() []string {
	w.Helper()
	const root = "/sys/fs/cgroup"
	hierarchies := []string{root}
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); errors.Is(err, os.ErrNotExist) {
		entries, err := os.ReadDir(root) // version 1
		w.Must(err)
		hierarchies = nil
		for _, e := range entries {
			if e.IsDir() {
				hierarchies = append(hierarchies, filepath.Join(root, e.Name()))
			}
		}
	}
	if len(hierarchies) == 0 {
		w.Fatalf("there are no control groups below %s; `ip netns exec` hides them, nsenter --net does not", root)
	}
	var groups []string
	for _, hierarchy := range hierarchies {
		group := filepath.Join(hierarchy, w.controlGroup())
		w.Must(os.Mkdir(group, 0o755))
		groups = append(groups, group)
		// In version 1 nothing may run in a group for which these are not set.
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(hierarchy, name))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			w.Must(err)
			w.Must(os.WriteFile(filepath.Join(group, name), value, 0o644))
		}
	}
	return groups
}

// enter are the arguments of nsenter for a program there.
func (w *Worker) enter(path string, args ...string) []string {
	pid, err := w.first.Descendant(1)
	if err != nil {
		pid = 0 // which nsenter refuses
	}
	return append([]string{
		"--target", fmt.Sprint(pid), "--mount", "--uts", "--ipc", "--net", "--pid",
		"/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", path,
	}, args...)
}

// start starts one of its programs.
func (w *Worker) start(program string, args ...string) {
	w.Helper()
	w.Start(w.Name()+"-"+program, process.Spec{Path: "/usr/bin/nsenter", Args: w.enter(programs+program, args...)})
}

// run runs a command there and returns what it prints.
func (w *Worker) run(ctx context.Context, path string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "nsenter", w.enter(path, args...)...).Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%s %q: %w: %s", path, args, err, failed.Stderr)
	}
	return string(out), err
}

// Containers are the ids of all that its runtime has for a pod, dead ones and those that
// only hold its namespaces included.
func (w *Worker) Containers(namespace, pod string) []string {
	w.Helper()
	filter := fmt.Sprintf(`labels."io.kubernetes.pod.namespace"==%s,labels."io.kubernetes.pod.name"==%s`, namespace, pod)
	out, err := w.run(w.Context(), programs+"ctr", "--namespace", kubernetes, "containers", "list", "--quiet", filter)
	w.Must(err)
	ids := strings.Fields(out)
	slices.Sort(ids)
	return ids
}

// Outside is where this machine finds a path of the worker's, below /var or /etc.
func (w *Worker) Outside(path string) string { return filepath.Join(w.dir, path) }
