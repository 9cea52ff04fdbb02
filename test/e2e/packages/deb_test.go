// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

// startLines is how many lines a healthy start may be told in.
const startLines = 40

// TestDeb is the life of one controller: each part finds what the one before has
// left.
func TestDeb(t *testing.T) {
	e := harness.New(t)
	deb := e.Package("deb")
	old := older(e, deb)
	n := node{machine.NewNetwork(e).Boot("controller-0", "10.240.0.10")}

	installedIsNotStarted(n, n.install(old))
	unitIsSound(n)
	takenPortsAreNamed(n)

	n.Do("systemctl", "enable", "--now", unit)
	worksAtOnce(n)
	logsLittle(n)
	verifies(n)
	kept := n.makeObjects()

	reloadTakesOver(n)
	n.Reboot()
	n.awaitRestart("")
	worksAtOnce(n)
	n.mustHave(kept)

	survives(n, "--signal=KILL")
	survives(n, "--signal=STOP")
	n.mustHave(kept)

	replace(n, deb)
	n.mustHave(kept)
	replace(n, old)
	n.mustHave(kept)

	n.Do("systemctl", "stop", unit)
	if result := n.show("Result"); result != "success" {
		t.Errorf("the stop ended with %q", result)
	}
	n.install(deb)
	n.mustBe("inactive") // an upgrade does not start what did not run
	removeKeepsData(n)
	purgeLeavesNothing(n)
}

func installedIsNotStarted(n node, said string) {
	n.Helper()
	n.mustSay([]string{said}, "systemctl enable --now khw-controller", configFile)
	n.mustBe("inactive")
	if out, _ := n.Try("systemctl", "is-enabled", unit); strings.TrimSpace(out) != "disabled" {
		n.Errorf("the unit is %s, want it disabled", out)
	}
	// The audit log's directory is there before the unit makes it.
	if out := n.Do("stat", "--format=%U:%G %a", "/var/log/khw-controller"); out != "khw-controller:khw-controller 750\n" {
		n.Errorf("/var/log/khw-controller: %s", out)
	}
	if out := n.Do("khw-controller", "check"); !strings.Contains(out, "ok: nothing stands in the way") {
		n.Errorf("check says: %s", out)
	}
}

// unitIsSound asks systemd, where everything that the unit names is there.
func unitIsSound(n node) {
	n.Helper()
	if out := n.Do("systemd-analyze", "verify", unit); out != "" {
		n.Errorf("systemd-analyze verify: %s", out)
	}
	n.Do("systemd-analyze", "security", "--no-pager", "--threshold=15", unit)
}

// takenPortsAreNamed starts it where two units of the lab hold ports.
func takenPortsAreNamed(n node) {
	n.Helper()
	for name, port := range map[string]int{"kube-apiserver": 6443, "nginx": 80} {
		n.Do("systemd-run", "--quiet", "--unit="+name, "systemd-socket-activate", fmt.Sprintf("--listen=%d", port), "/bin/true")
		n.Eventually(name+" to listen", func(context.Context) error {
			_, err := n.Try("/bin/sh", "-c", fmt.Sprintf("ss -ltn | grep -q ':%d '", port))
			return err
		})
	}
	if out, err := n.Try("systemctl", "start", unit); err == nil {
		n.Errorf("it started on taken ports: %s", out)
	}
	out := n.Do("journalctl", "--no-pager", "--output=cat", "--unit="+unit)
	for name, port := range map[string]string{"kube-apiserver": "0.0.0.0:6443", "nginx": "0.0.0.0:80"} {
		n.mustSay([]string{out}, fmt.Sprintf("error    %s: is taken by %s.service; stop it: systemctl disable --now %s, or move", port, name, name))
	}
	n.Do("systemctl", "stop", unit, "kube-apiserver", "nginx")
	n.Do("systemctl", "reset-failed")
}

// worksAtOnce waits for nothing: whoever started it has waited.
func worksAtOnce(n node) {
	n.Helper()
	n.mustBe("active")
	n.Must(n.healthy())
	if out := n.kubectl("get", "componentstatuses"); strings.Count(out, "Healthy") != 3 || strings.Contains(out, "Unhealthy") {
		n.Errorf("componentstatuses:\n%s", out)
	}
}

func logsLittle(n node) {
	n.Helper()
	journal := n.journal()
	status := strings.Split(strings.TrimSpace(n.Do("systemctl", "status", "--no-pager", unit)), "\n")
	n.mustSay(journal, "The control plane is ready")
	n.mustSay(status, "ready: etcd running, kube-apiserver running")
	for what, lines := range map[string][]string{"journal": journal, "systemctl status": status} {
		if len(lines) > startLines {
			n.Errorf("the %s has %d lines, want at most %d:\n%s", what, len(lines), startLines, strings.Join(lines, "\n"))
		}
	}
	if owner := strings.TrimSpace(n.Do("stat", "--format=%U", "/proc/"+n.show("MainPID"))); owner != "khw-controller" {
		n.Errorf("it runs as %s", owner)
	}
}

// verifies goes through the lab's verification, once what the leader applies is
// there, and asks the socket that lies behind a link.
func verifies(n node) {
	n.Helper()
	n.Eventually("khw-controller verify to find all well", func(context.Context) error {
		out, err := n.Try("khw-controller", "verify")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	n.mustSay([]string{n.Do("khw-controller", "status")}, "controller-0 (10.240.0.10:6443) is ready")
}

// reloadTakesOver edits the config file, which the rest of the test keeps.
func reloadTakesOver(n node) {
	n.Helper()
	before := n.show("MainPID")
	n.Do("sed", "--in-place", "s/^#shutdown-delay: .*/shutdown-delay: 1s/; s/^v: .*/v: 1/", configFile)
	n.Do("systemctl", "reload", unit)
	n.awaitJournal("Read the configuration again", `applied="v=1"`, `needRestart="shutdown-delay"`)
	n.Do("sed", "--in-place", "s/^v: .*/vv: 1/", configFile)
	n.Do("systemctl", "reload", unit)
	n.awaitJournal("The configuration is invalid; nothing has changed", configFile+":", "there is no key vv")
	n.Do("sed", "--in-place", "s/^vv: .*/v: 0/", configFile)
	n.mustBe("active")
	if after := n.show("MainPID"); after != before {
		n.Errorf("a reload made process %s of %s", after, before)
	}
}

// awaitJournal waits for one line that has all texts.
func (n node) awaitJournal(texts ...string) {
	n.Helper()
	n.Eventually("a line in the journal", func(context.Context) error {
		for _, line := range n.journal() {
			all := true
			for _, text := range texts {
				all = all && strings.Contains(line, text)
			}
			if all {
				return nil
			}
		}
		return fmt.Errorf("no line has all of %q", texts)
	})
}

// survives sends a signal to the main process, and wants systemd to put another
// in its place that works.
func survives(n node, signal string) {
	n.Helper()
	before := n.show("MainPID")
	began := time.Now()
	n.Do("systemctl", "kill", "--kill-whom=main", signal, unit)
	n.awaitRestart(before)
	worksAtOnce(n)
	n.Logf("%s: works again after %s", signal, time.Since(began).Round(time.Second))
}

// replace installs another version over the one that runs. When that returns, the
// new one has to work, with the edited config.
func replace(n node, deb string) {
	n.Helper()
	before := n.show("MainPID")
	n.install(deb)
	worksAtOnce(n)
	if n.show("MainPID") == before {
		n.Error("the old process still runs")
	}
	if out := n.Do("cat", configFile); !strings.Contains(out, "\nshutdown-delay: 1s\n") {
		n.Errorf("the edited config is gone:\n%s", out)
	}
}

func removeKeepsData(n node) {
	n.Helper()
	n.Do("dpkg", "--remove", "khw-controller")
	for _, path := range []string{"/var/lib/kubernetes/ca-key.pem", "/var/lib/etcd/member/snap/db", configFile} {
		n.Do("test", "-e", path)
	}
	if out, err := n.Try("systemctl", "cat", unit); err == nil {
		n.Errorf("the unit is still there: %s", out)
	}
}

func purgeLeavesNothing(n node) {
	n.Helper()
	n.Write("/var/lib/kubernetes/mine.pem", "an operator's")
	said := n.Do("dpkg", "--purge", "khw-controller")
	n.mustSay([]string{said}, "deletes /var/lib/kubernetes/ca-key.pem", "deletes /var/lib/etcd/member", "the user khw-controller stays")
	n.Do("test", "-e", "/var/lib/kubernetes/mine.pem")
	left := n.Sh(`find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /var/log/journal -o -path /var/cache/man -o -path /run \) -prune -o ` +
		`\( -user khw-controller -o -name '*khw*' -o -path '/etc/kubernetes*' -o -path '/var/lib/etcd*' -o -path '/var/lib/kubernetes/*' \) ` +
		`! -name mine.pem -print`)
	if left != "" && left != "/var/lib/kubernetes\n" {
		n.Errorf("left behind:\n%s", left)
	}
}
