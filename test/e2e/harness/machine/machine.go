// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

//go:embed boot.sh
var boot string

// Machine is one booted Debian.
type Machine struct {
	*harness.Env
	// Name is its host name.
	Name string
	// Address is where the network reaches it.
	Address string

	dir, image, network string
	container           *process.Process
}

// Boot starts a machine with an address on the network and waits until it is up.
func (n *Network) Boot(name, address string) *Machine {
	n.Helper()
	image, err := Debian(packages)
	n.Must(err)
	holder := hold(n.Env, name)
	n.join(holder, address)
	m := &Machine{
		Env: n.Env, Name: name, Address: address,
		dir: n.Path("machine-" + name), image: image, network: namespace(holder),
	}
	n.Must(os.Mkdir(m.dir, 0o755))
	n.Cleanup(m.removeControlGroups)
	m.start()
	return m
}

// start starts the container and waits until systemd has started everything.
func (m *Machine) start() {
	m.Helper()
	m.container = m.Start(m.Name, process.Spec{
		Path: "/usr/bin/unshare",
		Args: []string{"--mount", "--propagation=slave", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", boot, "boot.sh", m.Name, m.image, m.dir, m.network},
	})
	m.Cleanup(func() {
		if m.Failed() && m.container.Running() {
			out, _ := m.command(context.Background(), "journalctl", "--no-pager", "-n", "60", "-o", "short-precise").CombinedOutput()
			m.Logf("the end of the journal of %s:\n%s", m.Name, out)
		}
	})
	m.WithinAlive(m.container, harness.Patience, m.Name+" to be up", func(ctx context.Context) error {
		if _, err := m.leader(); err != nil {
			return err
		}
		out, err := m.command(ctx, "systemctl", "is-system-running").Output()
		if state := strings.TrimSpace(string(out)); state != "running" && state != "degraded" {
			return fmt.Errorf("systemd is %q: %w", state, err)
		}
		return nil
	})
}

// removeControlGroups removes what boot.sh has made, once the container is dead.
func (m *Machine) removeControlGroups() {
	groups, err := os.ReadFile(filepath.Join(m.dir, "cgroups"))
	if err != nil {
		return // it was never started
	}
	removeControlGroups(m.Env, strings.Fields(string(groups)))
}

// leader returns the id of the container's first process on this machine: unshare
// has nspawn for a child, and nspawn has it.
func (m *Machine) leader() (int, error) { return m.container.Descendant(2) }

// command is a command to be run as root in the machine.
func (m *Machine) command(ctx context.Context, args ...string) *exec.Cmd {
	pid, err := m.leader()
	if err != nil {
		pid = 0 // which nsenter refuses
	}
	return exec.CommandContext(ctx, "nsenter", append([]string{
		"--target", fmt.Sprint(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
		"/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
	}, args...)...)
}

// Try runs a command as root and returns both its outputs, with an error when it
// fails.
func (m *Machine) Try(args ...string) (string, error) {
	out, err := m.command(m.Context(), args...).CombinedOutput()
	return string(out), err
}

// Do runs a command that has to succeed and returns both its outputs.
func (m *Machine) Do(args ...string) string {
	m.Helper()
	out, err := m.Try(args...)
	if err != nil {
		m.Fatalf("%s: %s: %v\n%s", m.Name, strings.Join(args, " "), err, out)
	}
	return out
}

// Sh runs a line of shell that has to succeed and returns both its outputs.
func (m *Machine) Sh(line string) string {
	m.Helper()
	return m.Do("/bin/sh", "-ec", line)
}

// Copy copies a file of this machine's into it.
func (m *Machine) Copy(from, to string) {
	m.Helper()
	f, err := os.Open(from)
	m.Must(err)
	defer f.Close()
	cmd := m.command(m.Context(), "/bin/sh", "-ec", `mkdir -p "${1%/*}"; cat >"$1"`, "copy", to)
	cmd.Stdin = f
	if out, err := cmd.CombinedOutput(); err != nil {
		m.Fatalf("%s: copying to %s: %v: %s", m.Name, to, err, out)
	}
}

// Write writes a file in it.
func (m *Machine) Write(path, content string) {
	m.Helper()
	from := m.Path(fmt.Sprintf("%s-%d", m.Name, time.Now().UnixNano()))
	m.Must(os.WriteFile(from, []byte(content), 0o644))
	m.Copy(from, path)
}

// rebooted is nspawn's exit code when the container wants to be started again.
const rebooted = 133

// Reboot reboots it and waits until it is up again.
func (m *Machine) Reboot() {
	m.Helper()
	m.Do("systemctl", "reboot")
	if code := m.container.ExitCode(); code != rebooted {
		m.Fatalf("%s: the container ended with exit code %d, want %d", m.Name, code, rebooted)
	}
	m.start()
}
