// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

// TestOneController adopts one, after it has gone back from every kind of failure, and
// undoes it.
func TestOneController(t *testing.T) {
	e := harness.New(t)
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	n := node{machine.NewNetwork(e).Boot("controller-0", "10.240.0.10")}
	n.makeByHand(lab, []string{"https://10.240.0.10:2379"}, "--initial-cluster controller-0=https://10.240.0.10:2380")
	n.systemctl("start", "etcd")
	n.startByHand()
	n.kubectl("create", "secret", "generic", "kept", "--from-literal=key=value")
	uid := n.uid()
	before := n.state()

	looksOnly(n, before)
	refusesWhatWouldNotStart(n, before)
	goesBackByItself(n, before)
	goesOnAfterAKill(n)
	n.mustServeOurs(uid)
	n.Reboot()
	n.awaitHealthy()
	n.mustServeOurs(uid)

	n.mustSay(n.mustAdopt("--undo"), "as it was before")
	n.awaitHealthy()
	n.mustBeAs("after an undo", before)
	if got := n.uid(); got != uid {
		n.Errorf("the secret has UID %s, want %s", got, uid)
	}
}

// uid is that of a secret, which is read through its encryption.
func (n node) uid() string {
	n.Helper()
	return n.kubectl("get", "secret", "kept", "--output=jsonpath={.metadata.uid} {.data.key}")
}

// mustServeOurs wants our unit to have taken all over.
func (n node) mustServeOurs(uid string) {
	n.Helper()
	n.runs(true, unit, "etcd.service")
	n.runs(false, append([]string{"nginx.service"}, daemons...)...)
	n.Must(n.healthy())
	if got := n.uid(); got != uid {
		n.Errorf("the secret has UID %s, want %s", got, uid)
	}
	if owner := strings.TrimSpace(n.Do("stat", "--format=%U", "/proc/"+n.show(unit, "MainPID"))); owner != "khw-controller" {
		n.Errorf("it runs as %s", owner)
	}
	n.mustSay(n.Do("khw-controller", "flags"), "2h", "https://kubernetes.example")
}

func looksOnly(n node, before map[string]string) {
	n.Helper()
	said := n.mustAdopt("--dry-run")
	n.mustSay(said, "event-ttl=2h", "service-account-issuer=https://kubernetes.example", "etcd-servers", "does nothing else: it is stopped", "Would be written to "+configFile)
	if strings.Contains(said, "service-cluster-ip-range") {
		n.Errorf("a flag as in the lab is written:\n%s", said)
	}
	n.mustBeAs("after a dry run", before)
}

// refusesWhatWouldNotStart damages a file that the running daemons have read already:
// the checks find it before anything is stopped.
func refusesWhatWouldNotStart(n node, before map[string]string) {
	n.Helper()
	pids := func() string { return n.show(daemons[0], "MainPID") + n.show("nginx.service", "MainPID") }
	running := pids()
	const file = "/var/lib/kubernetes/encryption-config.yaml"
	n.Sh("cp -p " + file + " /root/kept; echo 'kind: EncryptionConfig' >" + file)
	out, err := n.adopt("--apply")
	if err == nil {
		n.Errorf("it was adopted: %s", out)
	}
	n.mustSay(out, file, "as it was")
	n.Sh("cp -p /root/kept " + file)
	n.mustBeAs("after the checks refused it", before)
	if pids() != running {
		n.Error("something was restarted")
	}
}

// goesBackByItself has the service not start, for a reason that no check knows.
func goesBackByItself(n node, before map[string]string) {
	n.Helper()
	n.Write("/etc/systemd/system/"+unit+".d/broken.conf", "[Service]\nExecStartPre=/bin/false\n")
	n.systemctl("daemon-reload")
	out, err := n.adopt("--apply", "--drain=0s")
	if err == nil {
		n.Errorf("it was adopted: %s", out)
	}
	n.mustSay(out, unit, "as it was")
	n.Sh("rm -r /etc/systemd/system/" + unit + ".d")
	n.systemctl("daemon-reload")
	n.awaitHealthy()
	n.mustBeAs("after it went back", before)
}

// goesOnAfterAKill kills an adoption when it has begun to stop the apiserver.
func goesOnAfterAKill(n node) {
	n.Helper()
	// In a unit of its own, so that systemd kills all of it.
	n.Do("systemd-run", "--quiet", "--unit=adopting", "khw-controller", "adopt", "--apply", "--drain=1s", "--kubeconfig="+kubeconfig)
	n.Eventually("the apiserver to be stopped", func(context.Context) error {
		// Among the steps, which are the only ones to stand alone on a line.
		if out, err := n.Try("grep", "--line-regexp", ` *"kube-apiserver.service",*`, recordFile); err != nil {
			return fmt.Errorf("it is not among the steps: %w: %s", err, out)
		}
		return nil
	})
	n.Do("systemctl", "kill", "--signal=KILL", "adopting")
	n.Eventually("it to be dead", func(context.Context) error {
		if state := n.show("adopting.service", "ActiveState"); state == "active" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if out, err := n.adopt(); err == nil || !strings.Contains(out, "--apply goes on") {
		n.Errorf("after a kill: %v: %s", err, out)
	}
	n.mustSay(n.mustAdopt("--apply", "--drain=0s"), "adopted")
	if out, err := n.adopt("--apply"); err == nil || !strings.Contains(out, "adopted on") {
		n.Errorf("a second time: %v: %s", err, out)
	}
}
