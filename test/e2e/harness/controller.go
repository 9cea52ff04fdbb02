// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Controller is one khw-controller on a root of its own.
type Controller struct {
	*Env
	// Name tells it from others in the same Env.
	Name string
	// Root is its --root.
	Root string
	// Ports are where it listens.
	Ports cluster.Ports
	// Args are appended to those of `run`.
	Args []string
	// Under is a command that it is started by.
	Under []string
	// EtcdServers are external members; none: an embedded one.
	EtcdServers []string
	// Process is the latest one started.
	Process *process.Process
	// Notify is what that process has told its service manager.
	Notify *process.NotifySocket

	starts int
}

// Controller returns a Controller with an empty root, not started yet.
func (e *Env) Controller(name string, ports cluster.Ports) *Controller {
	return &Controller{Env: e, Name: name, Root: e.Path(name), Ports: ports}
}

// FreePorts returns ports that nobody uses.
func (e *Env) FreePorts() cluster.Ports {
	e.Helper()
	p, err := cluster.FreePorts()
	e.Must(err)
	return p
}

// DefaultPorts returns Kubernetes' own ports, and fails the test when one is
// taken.
func (e *Env) DefaultPorts() cluster.Ports {
	e.Helper()
	p := cluster.DefaultPorts()
	e.Must(p.Taken())
	return p
}

// Pair returns two controllers with one PKI, which are not started, on an etcd of so
// many members.
func (e *Env) Pair(members int) (first, second *Controller, etcd *Etcd) {
	e.Helper()
	first = e.Controller("first", e.FreePorts())
	first.GeneratePKI()
	etcd = e.StartEtcd(first.Lab(""), members)
	second = e.Controller("second", e.FreePorts())
	second.CopyPKI(first)
	first.EtcdServers, second.EtcdServers = etcd.URLs(), etcd.URLs()
	return first, second, etcd
}

// Lab returns the path of one of the lab's files below the root.
func (c *Controller) Lab(name string) string {
	return filepath.Join(c.Root, "var/lib/kubernetes", name)
}

// RunArgs are the arguments of `khw-controller run`.
func (c *Controller) RunArgs() []string {
	args := append([]string{"--root", c.Root}, c.Ports.ControllerArgs(len(c.EtcdServers) == 0)...)
	if len(c.EtcdServers) > 0 {
		args = append(args, "--etcd-servers", strings.Join(c.EtcdServers, ","))
	}
	return append(args, c.Args...)
}

// Start starts `khw-controller run` and returns at once.
func (c *Controller) Start() {
	c.Helper()
	c.starts++
	name := fmt.Sprintf("%s-%d", c.Name, c.starts)
	notify, err := process.ListenNotify(c.Path(name + ".sock"))
	c.Must(err)
	c.Cleanup(notify.Close)
	c.Notify = notify
	command := slices.Concat(c.Under, []string{c.Binary(), "run"}, c.RunArgs())
	c.Process = c.Env.Start(name, process.Spec{Path: command[0], Args: command[1:], Env: []string{notify.Env}})
}

// StartReady starts it and waits for READY=1.
func (c *Controller) StartReady() {
	c.Helper()
	c.Start()
	c.AwaitReady()
}

// AwaitReady waits for READY=1.
func (c *Controller) AwaitReady() {
	c.Helper()
	c.WithinAlive(c.Process, Patience, "READY=1 from "+c.Name, func(context.Context) error {
		if _, ok := c.Notify.First("READY", func(v string) bool { return v == "1" }); !ok {
			return errors.New(c.Notify.Last("STATUS"))
		}
		return nil
	})
}

// AwaitStatus waits for a STATUS that contains text.
func (c *Controller) AwaitStatus(text string) {
	c.Helper()
	c.WithinAlive(c.Process, Patience, fmt.Sprintf("%q in the status of %s", text, c.Name), func(context.Context) error {
		if last := c.Notify.Last("STATUS"); !strings.Contains(last, text) {
			return errors.New(last)
		}
		return nil
	})
}

// StopInOrder sends SIGTERM and wants exit code 0 within Patience.
func (c *Controller) StopInOrder() {
	c.Helper()
	code, err := c.Process.Stop(Patience)
	c.Must(err)
	if code != 0 {
		c.Fatalf("%s ended with exit code %d after SIGTERM, want 0; its last line: %s", c.Name, code, c.Process.Tail(1))
	}
}

// Client returns a client with the admin's kubeconfig.
func (c *Controller) Client() *kubernetes.Clientset {
	c.Helper()
	client, err := cluster.Client(c.Lab("admin.kubeconfig"))
	c.Must(err)
	return client
}

// Kubectl runs `khw-controller kubectl` on this controller and returns its
// output.
func (c *Controller) Kubectl(args ...string) string {
	c.Helper()
	out, err := exec.CommandContext(c.Context(), c.Binary(), append([]string{"kubectl", "--root", c.Root}, args...)...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		c.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, failed.Stderr)
	}
	c.Must(err)
	return string(out)
}
