// SPDX-License-Identifier: Apache-2.0

// Package packages installs the packages on booted machines, as an operator does.
package packages

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

const unit = "khw-controller.service"

// configFile is the one that the packages ship.
const configFile = "/etc/kubernetes/config/khw-controller.yaml"

// node is a machine with khw-controller on it.
type node struct{ *machine.Machine }

// install installs a package of this machine's and returns what is said.
func (n node) install(pkg string) string {
	n.Helper()
	to := "/root/" + filepath.Base(pkg)
	n.Copy(pkg, to)
	if filepath.Ext(pkg) == ".rpm" {
		// Debian's own files, which the package asks for, are not known to rpm.
		return n.Do("rpm", "--install", "--nodeps", to)
	}
	return n.Do("dpkg", "--install", to)
}

// show returns a property of the unit.
func (n node) show(property string) string {
	n.Helper()
	return strings.TrimSpace(n.Do("systemctl", "show", "--value", "--property="+property, unit))
}

// mustBe wants the unit to be in a state now.
func (n node) mustBe(state string) {
	n.Helper()
	if got := n.show("ActiveState"); got != state {
		n.Errorf("the unit is %s, want %s", got, state)
	}
}

// awaitRestart waits until the unit is active with another main process.
func (n node) awaitRestart(before string) {
	n.Helper()
	n.Within(2*harness.Patience, "systemd to restart the unit", func(context.Context) error {
		if pid, state := n.show("MainPID"), n.show("ActiveState"); pid == before || state != "active" {
			return fmt.Errorf("process %s is %s", pid, state)
		}
		return nil
	})
}

// healthy looks once, by the lab's own check.
func (n node) healthy() error {
	out, err := n.Try("curl", "--silent", "--include", "--header", "Host: kubernetes.default.svc.cluster.local", "http://127.0.0.1/healthz")
	if err != nil || !strings.HasPrefix(out, "HTTP/1.1 200 OK") || !strings.HasSuffix(out, "\r\n\r\nok") {
		return fmt.Errorf("/healthz answers %q: %w", out, errors.Join(err, errors.New("want 200 and ok")))
	}
	return nil
}

// kubectl runs kubectl by the name that the profile puts into root's path.
func (n node) kubectl(args ...string) string {
	n.Helper()
	return n.Do(append([]string{"/bin/sh", "-lc", `kubectl --kubeconfig /var/lib/kubernetes/admin.kubeconfig "$@"`, "sh"}, args...)...)
}

// objects are what a restart must find again.
type objects map[string]string

// makeObjects makes some.
func (n node) makeObjects() objects {
	n.Helper()
	n.kubectl("create", "namespace", "kept")
	n.kubectl("create", "--namespace=kept", "secret", "generic", "kept", "--from-literal=key=value")
	n.kubectl("create", "--namespace=kept", "configmap", "kept", "--from-literal=key=value")
	return n.objects()
}

// objects returns the UID of every object that nothing but the test changes.
func (n node) objects() objects {
	n.Helper()
	all := objects{}
	out := n.kubectl("get", "namespaces,secrets,configmaps,serviceaccounts,services,clusterroles", "--all-namespaces",
		"--output=go-template={{range .items}}{{.kind}}/{{.metadata.namespace}}/{{.metadata.name}} {{.metadata.uid}}\n{{end}}")
	for line := range strings.Lines(out) {
		if name, uid, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all[name] = uid
		}
	}
	return all
}

// mustHave wants all of them to be there.
func (n node) mustHave(before objects) {
	n.Helper()
	now := n.objects()
	for name, uid := range before {
		if now[name] != uid {
			n.Errorf("%s has UID %q, want %q", name, now[name], uid)
		}
	}
}

// journal returns what the unit has logged in its latest run, one message a line.
func (n node) journal() []string {
	n.Helper()
	out := n.Do("journalctl", "--no-pager", "--output=cat", "_SYSTEMD_INVOCATION_ID="+n.show("InvocationID"), "+", "INVOCATION_ID="+n.show("InvocationID"))
	return strings.Split(strings.TrimSpace(out), "\n")
}

// mustSay wants every text to be among lines.
func (n node) mustSay(lines []string, texts ...string) {
	n.Helper()
	all := strings.Join(lines, "\n")
	for _, text := range texts {
		if !strings.Contains(all, text) {
			n.Errorf("%q is not said in:\n%s", text, all)
		}
	}
}

// older repacks a deb under a version that sorts before its own.
func older(e *harness.Env, deb string) string {
	e.Helper()
	dir, to := e.Path("older"), e.Path("older.deb")
	for _, args := range [][]string{
		{"dpkg-deb", "--raw-extract", deb, dir},
		{"sed", "--in-place", `s/^\(Version: [0-9.]*\).*/\1~older-1/`, filepath.Join(dir, "DEBIAN/control")},
		{"dpkg-deb", "-Znone", "--root-owner-group", "--build", dir, to},
	} {
		if out, err := exec.CommandContext(e.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			e.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	return to
}
