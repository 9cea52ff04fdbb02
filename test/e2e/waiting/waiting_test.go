// SPDX-License-Identifier: Apache-2.0

// Package waiting starts a control plane before what it needs is there: it waits,
// says for what, and goes on by itself.
package waiting

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

func status(c *harness.Controller) string {
	out, _ := exec.CommandContext(c.Context(), c.Binary(), "status", "--root", c.Root).CombinedOutput()
	return string(out)
}

// waits wants check, the service manager and status to say what is waited for.
func waits(c *harness.Controller, subject, problem string) {
	c.Helper()
	findings, code := c.CheckJSON()
	if code != 0 || !slices.ContainsFunc(findings, func(f harness.Finding) bool {
		return f.Severity == "wait" && strings.Contains(f.Subject, subject) && strings.Contains(f.Problem, problem)
	}) {
		c.Fatalf("check exits with %d and finds %+v", code, findings)
	}
	c.Start()
	c.AwaitStatus("preflight starting (waits: ")
	if said := c.Notify.Last("STATUS"); !strings.HasPrefix(said, "starting: ") || !strings.Contains(said, subject+" "+problem) || !strings.Contains(said, "(since ") {
		c.Errorf("the service manager is told %q", said)
	}
	c.Eventually("status to say so", func(context.Context) error {
		if said := status(c); !strings.Contains(said, subject) || !strings.Contains(said, problem) {
			return fmt.Errorf("it says %s", said)
		}
		return nil
	})
	c.Eventually("more time to be asked for", func(context.Context) error {
		if _, asked := c.Notify.First("EXTEND_TIMEOUT_USEC", func(string) bool { return true }); !asked {
			return fmt.Errorf("it is not")
		}
		return nil
	})
}

func TestEtcdComesLater(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 3)
	c.EtcdServers = etcd.URLs()
	for _, p := range etcd.Processes {
		_, err := p.Stop(harness.Patience)
		c.Must(err)
	}

	waits(c, etcd.URLs()[0], "refuses the connection")
	c.StopInOrder()
	if said := status(c); !strings.Contains(said, "stopped in order") {
		c.Errorf("after a stop that came while it waited, status says %s", said)
	}

	waits(c, etcd.URLs()[2], "refuses the connection")
	etcd.Start(0) // one of three: no quorum yet
	c.AwaitStatus("does not answer within")
	etcd.Start(1)
	c.AwaitReady()
	c.StopInOrder()
}

// TestAWrongCAIsNotWaitedFor has etcd come up with certificates of another CA while
// a start waits for it.
func TestAWrongCAIsNotWaitedFor(t *testing.T) {
	e := harness.New(t)
	c, other := e.Controller("controller", e.FreePorts()), e.Controller("other", e.FreePorts())
	c.GeneratePKI()
	other.GeneratePKI()
	etcd := e.StartEtcd(other.Lab(""), 1)
	_, err := etcd.Processes[0].Stop(harness.Patience)
	c.Must(err)
	c.EtcdServers = etcd.URLs()
	waits(c, etcd.URLs()[0], "refuses the connection")
	etcd.Start(0)
	select {
	case <-c.Process.Exited():
	case <-time.After(harness.Patience):
		c.Fatal("it goes on waiting")
	}
	if code := c.Process.ExitCode(); code != 1 || !strings.Contains(c.Process.Tail(1), "another CA") {
		c.Errorf("it ends with %d: %s", code, c.Process.Tail(3))
	}
}

// TestTheAddressComesLater has a controller listen, in a network namespace of its
// own, at an address that is not there yet.
func TestTheAddressComesLater(t *testing.T) {
	e := harness.New(t)
	const address = "10.240.0.10"
	namespace := "khw-waiting-" + fmt.Sprint(os.Getpid())
	ip := func(args ...string) {
		e.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			e.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	ip("netns", "add", namespace)
	e.Cleanup(func() { ip("netns", "del", namespace) })
	ip("-n", namespace, "link", "set", "lo", "up")
	c := e.Controller("controller", e.FreePorts())
	c.Args = []string{"--advertise-address", address, "--kube-apiserver-arg", "bind-address=" + address}
	args := append([]string{"netns", "exec", namespace, e.Binary(), "run"}, c.RunArgs()...)
	notify, err := process.ListenNotify(filepath.Join(e.Dir, "notify"))
	e.Must(err)
	e.Cleanup(notify.Close)
	c.Notify, c.Process = notify, e.Start("controller", process.Spec{Path: "/sbin/ip", Args: args, Env: []string{notify.Env}})
	c.AwaitStatus(net.JoinHostPort(address, fmt.Sprint(c.Ports.APIServer)) + " is not an address of this machine (--kube-apiserver-arg bind-address)")
	ip("-n", namespace, "addr", "add", address+"/24", "dev", "lo")
	c.AwaitReady()
	c.StopInOrder()
}
