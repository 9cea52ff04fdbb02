// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Host is a machine as far as the network can tell: processes of this one in a
// network namespace with an address on the network.
type Host struct {
	*harness.Env
	Name, Address string

	holder *process.Process
	hosts  string // the file for /etc/hosts, where it has one of its own
}

// Host returns a host with an address on the network.
func (n *Network) Host(name, address string) *Host {
	n.Helper()
	h := &Host{Env: n.Env, Name: name, Address: address, holder: hold(n.Env, name)}
	n.join(h.holder, address)
	return h
}

// Knows has the programs that are started there find others by their names.
func (h *Host) Knows(addresses map[string]string) {
	h.Helper()
	h.hosts = h.Path(h.Name + "-hosts")
	h.Must(os.WriteFile(h.hosts, []byte(Hosts(addresses)), 0o644))
}

// Hosts is an /etc/hosts.
func Hosts(addresses map[string]string) string {
	text := "127.0.0.1 localhost\n"
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		text += addresses[name] + " " + name + "\n"
	}
	return text
}

// Start starts a program there, on a machine of the host's name: who holds a lease, and
// whose apiserver one is, is told by that.
func (h *Host) Start(name string, s process.Spec) *process.Process {
	h.Helper()
	command := []string{
		"--net=" + namespace(h.holder),
		"/usr/bin/unshare", "--uts", "/bin/sh", "-ec", `echo "$0" >/proc/sys/kernel/hostname; exec "$@"`, h.Name,
	}
	if h.hosts != "" {
		command = append(command, "/usr/bin/unshare", "--mount", "/bin/sh", "-ec", `mount --bind "$0" /etc/hosts; exec "$@"`, h.hosts)
	}
	s.Args = slices.Concat(command, []string{s.Path}, s.Args)
	s.Path = "/usr/bin/nsenter"
	return h.Env.Start(name, s)
}

// Command is a command to be run there.
func (h *Host) Command(ctx context.Context, path string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + namespace(h.holder), path}, args...)...)
}

// NFT runs commands of nft(8) there.
func (h *Host) NFT(commands ...string) {
	h.Helper()
	cmd := h.Command(h.Context(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%s: nft: %v: %s", h.Name, err, out)
	}
}

// Dial connects from there. The socket stays there; the thread comes back.
func (h *Host) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	runtime.LockOSThread()
	here, err := unix.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(here)
	there, err := unix.Open(namespace(h.holder), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
	if back := unix.Setns(here, unix.CLONE_NEWNET); back != nil {
		return nil, back // and the thread is never unlocked, so that it ends with its goroutine
	}
	runtime.UnlockOSThread()
	return conn, err
}
