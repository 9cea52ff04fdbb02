// SPDX-License-Identifier: Apache-2.0

// Package trio runs the lab's three controllers, with the embedded etcd as a cluster,
// each on a host of its own in a network namespace.
package trio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Controllers is the lab's chapter 03, for --controllers.
const Controllers = "controller-0=10.240.0.10,controller-1=10.240.0.11,controller-2=10.240.0.12"

// Node is one controller on a host of its own, with Kubernetes' own ports.
type Node struct {
	*machine.Host
	// Root is its --root, and Args are those of run.
	Root string
	Args []string
	// Under is a command that it is started by.
	Under []string
	// Process is the latest one started, and Notify what it has told its service
	// manager.
	Process *process.Process
	Notify  *process.NotifySocket

	starts int
}

// Started returns three that serve, with what the lab's chapters 04 to 06 make.
func Started(e *harness.Env) []*Node {
	e.Helper()
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	nodes := Hosts(e)
	for _, n := range nodes {
		n.Prepare(lab, "root")
		n.Start()
	}
	for _, n := range nodes {
		n.AwaitReady()
	}
	return nodes
}

// Hosts returns three that are not started, and have no root yet.
func Hosts(e *harness.Env) []*Node {
	e.Helper()
	return HostsOn(machine.NewNetwork(e))
}

// HostsOn returns three on a network that others are on as well.
func HostsOn(network *machine.Network) []*Node {
	network.Helper()
	var nodes []*Node
	for i := range 3 {
		h := network.Host(fmt.Sprintf("controller-%d", i), fmt.Sprintf("10.240.0.%d", 10+i))
		nodes = append(nodes, &Node{Host: h, Args: []string{"--controllers", Controllers, "--snapshot-interval", "0"}})
	}
	return nodes
}

// Prepare gives n an empty root with the lab's files.
func (n *Node) Prepare(lab *harness.Controller, name string) {
	n.Helper()
	n.Root = n.Path(name + "-" + n.Name)
	n.Must(os.CopyFS(n.Lab(""), os.DirFS(lab.Lab(""))))
}

// Lab is the path of one of the lab's files there.
func (n *Node) Lab(name string) string { return filepath.Join(n.Root, "var/lib/kubernetes", name) }

// Etcd is the directory of its member's data.
func (n *Node) Etcd() string { return filepath.Join(n.Root, "var/lib/etcd") }

// Start starts it and returns at once.
func (n *Node) Start() {
	n.Helper()
	n.starts++
	name := fmt.Sprintf("%s-%d", filepath.Base(n.Root), n.starts)
	notify, err := process.ListenNotify(n.Path(name + ".sock"))
	n.Must(err)
	n.Cleanup(notify.Close)
	n.Notify = notify
	command := slices.Concat(n.Under, []string{n.Binary(), "run", "--root", n.Root}, n.Args)
	n.Process = n.Host.Start(name, process.Spec{Path: command[0], Args: command[1:], Env: []string{notify.Env}})
}

// AwaitReady waits for READY=1, and for both leases to be held.
func (n *Node) AwaitReady() {
	n.Helper()
	n.WithinAlive(n.Process, harness.Patience, n.Name+" to be ready", func(ctx context.Context) error {
		if _, ok := n.Notify.First("READY", func(v string) bool { return v == "1" }); !ok {
			return errors.New(n.Notify.Last("STATUS"))
		}
		return cluster.BothHeld(ctx, n.Client())
	})
}

// AwaitStatus waits for a status that contains text.
func (n *Node) AwaitStatus(text string) {
	n.Helper()
	n.WithinAlive(n.Process, harness.Patience, fmt.Sprintf("%q in the status of %s", text, n.Name), func(context.Context) error {
		if last := n.Notify.Last("STATUS"); !strings.Contains(last, text) {
			return errors.New(last)
		}
		return nil
	})
}

// Restart stops it, starts it and waits until it is ready.
func (n *Node) Restart() {
	n.Helper()
	n.Stop()
	n.Start()
	n.AwaitReady()
}

// Stop ends it in order.
func (n *Node) Stop() {
	n.Helper()
	code, err := n.Process.Stop(harness.Patience)
	n.Must(err)
	if code != 0 {
		n.Fatalf("%s ended with exit code %d; its last line: %s", n.Name, code, n.Process.Tail(1))
	}
}

// AwaitEnd waits for it to end with exit code 1 and this in its last line.
func (n *Node) AwaitEnd(says ...string) {
	n.Helper()
	n.Within(harness.Patience, n.Name+" to end", func(context.Context) error {
		if n.Process.Running() {
			return errors.New(n.Process.Tail(1))
		}
		return nil
	})
	last := n.Process.Tail(1)
	if code := n.Process.ExitCode(); code != 1 {
		n.Errorf("%s: exit code %d; its last line: %s", n.Name, code, last)
	}
	for _, s := range says {
		if !strings.Contains(last, s) {
			n.Errorf("%s: its last line %q does not say %q", n.Name, last, s)
		}
	}
}

// Client is the admin's, of this node's apiserver.
func (n *Node) Client() *kubernetes.Clientset {
	n.Helper()
	return n.ClientOf(n.Lab("admin.kubeconfig"))
}

// ClientOf is that of who has a kubeconfig.
func (n *Node) ClientOf(kubeconfig string) *kubernetes.Clientset {
	n.Helper()
	client, err := kubernetes.NewForConfig(n.Config(kubeconfig))
	n.Must(err)
	return client
}

// Config is how this node's apiserver is reached by who has a kubeconfig.
func (n *Node) Config(kubeconfig string) *restclient.Config {
	n.Helper()
	config, err := cluster.Config(kubeconfig)
	n.Must(err)
	config.Dial = n.Dial
	return config
}

// Try runs a command of khw-controller, with the flags of run, and returns both
// its outputs.
func (n *Node) Try(command ...string) (string, error) {
	args := slices.Concat(command, []string{"--root", n.Root}, n.Args)
	out, err := n.Command(n.Context(), n.Binary(), args...).CombinedOutput()
	return string(out), err
}

// Do runs one that has to succeed.
func (n *Node) Do(command ...string) string {
	n.Helper()
	out, err := n.Try(command...)
	if err != nil {
		n.Fatalf("%s: %s: %v: %s", n.Name, strings.Join(command, " "), err, out)
	}
	return out
}

// Refuses wants one to fail and to say this in one line.
func (n *Node) Refuses(says string, command ...string) {
	n.Helper()
	out, err := n.Try(command...)
	if err == nil || !strings.Contains(out, says) || strings.Count(out, "\n") != 1 {
		n.Errorf("%s: %s: got %v, %q, want one line with %q", n.Name, strings.Join(command, " "), err, out, says)
	}
}

// Roles are those of etcd's members, by their names.
func (n *Node) Roles() map[string]string {
	n.Helper()
	var members []struct{ Name, Role string }
	n.Must(json.Unmarshal([]byte(n.Do("etcd", "member", "list", "-o", "json")), &members))
	roles := map[string]string{}
	for _, m := range members {
		roles[m.Name] = m.Role
	}
	return roles
}

// MustBeVoters wants three members that all count.
func (n *Node) MustBeVoters() {
	n.Helper()
	want := map[string]string{"controller-0": "voter", "controller-1": "voter", "controller-2": "voter"}
	n.Eventually("three voters", func(context.Context) error {
		if got := n.Roles(); !maps.Equal(got, want) {
			return fmt.Errorf("there are %v", got)
		}
		return nil
	})
}
