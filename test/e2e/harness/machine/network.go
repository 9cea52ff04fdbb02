// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// gateway is the bridge's address, and every machine's way out, which leads
// nowhere.
const gateway = "10.240.0.1"

// Network is a bridge in a namespace of its own, to which machines are joined:
// none of its addresses is ever one of this machine's.
type Network struct {
	*harness.Env
	bridge *process.Process
	ports  int
}

// NewNetwork returns an empty network that goes with the test.
func NewNetwork(e *harness.Env) *Network {
	e.Helper()
	if os.Geteuid() != 0 {
		e.Fatal("machines are booted by root only; run this as root")
	}
	n := &Network{Env: e, bridge: hold(e, "bridge")}
	n.ip(n.bridge, "link", "add", "br0", "type", "bridge")
	n.ip(n.bridge, "address", "add", gateway+"/24", "dev", "br0")
	n.ip(n.bridge, "link", "set", "br0", "up")
	n.in(n.bridge, "/bin/sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	return n
}

// hold starts a process whose network namespace exists as long as it lives.
func hold(e *harness.Env, name string) *process.Process {
	e.Helper()
	p := e.Start("network-"+name, process.Spec{
		Path: "/usr/bin/unshare", Args: []string{"--net", "/bin/sh", "-c", "ip link set lo up && echo up && exec sleep infinity"},
	})
	e.WithinAlive(p, harness.Patience, "the network namespace of "+name, func(context.Context) error {
		if p.Tail(1) != "up" {
			return errors.New("it is not there")
		}
		return nil
	})
	return p
}

func namespace(holder *process.Process) string { return fmt.Sprintf("/proc/%d/ns/net", holder.PID()) }

// ip runs ip(8) in a network namespace.
func (n *Network) ip(holder *process.Process, args ...string) {
	n.Helper()
	n.in(holder, append([]string{"ip"}, args...)...)
}

// in runs a command in a network namespace.
func (n *Network) in(holder *process.Process, args ...string) {
	n.Helper()
	args = append([]string{"--net=" + namespace(holder)}, args...)
	if out, err := exec.CommandContext(n.Context(), "nsenter", args...).CombinedOutput(); err != nil {
		n.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// join gives a namespace an interface on the bridge.
func (n *Network) join(holder *process.Process, address string) {
	n.Helper()
	port := fmt.Sprintf("p%d", n.ports)
	n.ports++
	n.ip(n.bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(holder.PID()))
	n.ip(n.bridge, "link", "set", port, "master", "br0", "up")
	n.ip(holder, "address", "add", address+"/24", "dev", "eth0")
	n.ip(holder, "link", "set", "eth0", "up")
	n.ip(holder, "route", "add", "default", "via", gateway)
	// There is no cloud here; to be told so at once saves every start a second.
	n.ip(holder, "route", "add", "unreachable", "169.254.0.0/16")
}

// Route leads a range of addresses to one of the machines, as the lab's chapter 11 has
// the cloud's network do for pods.
func (n *Network) Route(cidr, via string) {
	n.Helper()
	n.ip(n.bridge, "route", "replace", cidr, "via", via)
}
