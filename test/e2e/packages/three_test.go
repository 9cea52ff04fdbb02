// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
)

// etcdUnit is etcd.service of lab chapter 07, of one type more than the lab's for
// `systemctl start` to return when the member has joined.
const etcdUnit = `[Unit]
Description=etcd

[Service]
Type=notify
ExecStart=/usr/local/bin/etcd \
  --name %[1]s \
  --cert-file=/etc/etcd/kubernetes.pem \
  --key-file=/etc/etcd/kubernetes-key.pem \
  --peer-cert-file=/etc/etcd/kubernetes.pem \
  --peer-key-file=/etc/etcd/kubernetes-key.pem \
  --trusted-ca-file=/etc/etcd/ca.pem \
  --peer-trusted-ca-file=/etc/etcd/ca.pem \
  --peer-client-cert-auth \
  --client-cert-auth \
  --initial-advertise-peer-urls https://%[2]s:2380 \
  --listen-peer-urls https://%[2]s:2380 \
  --listen-client-urls https://%[2]s:2379,https://127.0.0.1:2379 \
  --advertise-client-urls https://%[2]s:2379 \
  --initial-cluster-token etcd-cluster-0 \
  --initial-cluster controller-0=https://10.240.0.10:2380,controller-1=https://10.240.0.11:2380,controller-2=https://10.240.0.12:2380 \
  --initial-cluster-state new \
  --data-dir=/var/lib/etcd
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
`

// etcdServers is what the lab's kube-apiserver.service says.
const etcdServers = "https://10.240.0.10:2379,https://10.240.0.11:2379,https://10.240.0.12:2379"

// watchdog is short enough for a test to wait for several of its intervals.
const watchdog = 6 * time.Second

// TestThreeControllers is the lab's own topology: etcd beside each controller, the
// lab's certificates, everything put there by root.
func TestThreeControllers(t *testing.T) {
	e := harness.New(t)
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab()
	network := machine.NewNetwork(e)
	var nodes []node
	for i := range 3 {
		n := node{network.Boot(fmt.Sprintf("controller-%d", i), fmt.Sprintf("10.240.0.%d", 10+i))}
		prepareEtcd(n, lab)
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.Do("systemctl", "start", "--no-block", "etcd")
	}
	for _, n := range nodes {
		n.Do("systemctl", "start", "etcd")
	}
	for _, n := range nodes {
		prepareController(n, lab)
		n.Do("systemctl", "start", unit)
		n.Must(n.healthy())
	}
	oneLeads(nodes)
	eachKnowsAll(nodes)
	kept := nodes[0].makeObjects()
	nodes[2].mustHave(kept)

	rollingUpgrade(nodes, e.Package("deb"))
	nodes[1].mustHave(kept)
	etcdIsNoReasonToRestart(nodes)
	nodes[0].mustHave(kept)
}

// eachKnowsAll asks each controller for the status of all.
func eachKnowsAll(nodes []node) {
	for _, n := range nodes {
		n.Eventually("status --all on "+n.Name+" to find three ready", func(context.Context) error {
			out, err := n.Try("khw-controller", "status", "--all")
			if ready := strings.Count(out, ") is ready"); err != nil || ready != len(nodes) {
				return fmt.Errorf("%d are: %w: %s", ready, err, out)
			}
			return nil
		})
	}
}

// prepareEtcd does lab chapter 07.
func prepareEtcd(n node, lab *harness.Controller) {
	n.Helper()
	n.Copy(lab.StockBinary("etcd"), "/usr/local/bin/etcd")
	n.Do("chmod", "755", "/usr/local/bin/etcd")
	for _, name := range []string{"ca.pem", "kubernetes.pem", "kubernetes-key.pem"} {
		n.Copy(lab.Lab(name), "/etc/etcd/"+name)
	}
	n.Write("/etc/systemd/system/etcd.service", fmt.Sprintf(etcdUnit, n.Name, n.Address))
	n.Do("systemctl", "daemon-reload")
}

// prepareController does the lab's moving of files, installs the package, and is
// told what the lab's files of root's lack.
func prepareController(n node, lab *harness.Controller) {
	n.Helper()
	files, err := os.ReadDir(lab.Lab(""))
	n.Must(err)
	for _, f := range files {
		n.Copy(lab.Lab(f.Name()), "/var/lib/kubernetes/"+f.Name())
	}
	n.Sh("chmod 600 /var/lib/kubernetes/*-key.pem /var/lib/kubernetes/*.kubeconfig")
	n.install(n.Package("deb"))
	n.Do("sed", "--in-place", "s|^#etcd-servers:.*|etcd-servers: ["+etcdServers+"]|", configFile)
	n.Write("/etc/systemd/system/khw-controller.service.d/watchdog.conf", fmt.Sprintf("[Service]\nWatchdogSec=%d\n", int(watchdog.Seconds())))
	n.Do("systemctl", "daemon-reload")
	if out, err := n.Try("systemctl", "start", unit); err == nil {
		n.Errorf("it started with files that it may not read: %s", out)
	}
	const command = "chown -R khw-controller: /var/lib/kubernetes"
	n.mustSay([]string{n.Do("journalctl", "--no-pager", "--output=cat", "--unit="+unit)}, "give them to this user: "+command+"\n")
	n.Sh(command)
}

// oneLeads wants one holder of each lease, and it to be one of the nodes.
func oneLeads(nodes []node) {
	n := nodes[0]
	n.Helper()
	for _, lease := range cluster.Leases() {
		holder := n.kubectl("get", "--namespace=kube-system", "lease", lease, "--output=jsonpath={.spec.holderIdentity}")
		if !strings.HasPrefix(holder, "controller-") {
			n.Errorf("the lease %s is held by %q", lease, holder)
		}
	}
}

// rollingUpgrade installs over each node in turn, as any tool would; at no time is
// more than the one away.
func rollingUpgrade(nodes []node, deb string) {
	for i, n := range nodes {
		n.Helper()
		before := n.show("MainPID")
		n.install(deb)
		n.Must(n.healthy())
		if n.show("MainPID") == before {
			n.Error("the old process still runs")
		}
		for j, other := range nodes {
			if err := other.healthy(); j != i && err != nil {
				n.Errorf("after the upgrade of %s, %s: %v", n.Name, other.Name, err)
			}
		}
	}
}

// etcdIsNoReasonToRestart has every member of etcd hang for longer than the
// watchdog's interval, and wants the same processes to work when it is back.
func etcdIsNoReasonToRestart(nodes []node) {
	n := nodes[0]
	n.Helper()
	var before []string
	for _, n := range nodes {
		before = append(before, n.show("MainPID"))
		n.Do("systemctl", "kill", "--signal=STOP", "etcd")
	}
	hung := time.Now()
	n.Eventually("the health check to say no", func(context.Context) error {
		if out, _ := n.Try("curl", "--silent", "http://127.0.0.1/healthz"); strings.TrimSpace(out) != "etcd" {
			return fmt.Errorf("it says %q", out)
		}
		return nil
	})
	n.Eventually("three of the watchdog's intervals to pass", func(context.Context) error {
		if waited := time.Since(hung); waited < 3*watchdog {
			return fmt.Errorf("it is %s", waited)
		}
		return nil
	})
	for _, n := range nodes {
		n.Do("systemctl", "kill", "--signal=CONT", "etcd")
	}
	for i, n := range nodes {
		n.Eventually(n.Name+" to work again", func(context.Context) error { return n.healthy() })
		if pid := n.show("MainPID"); pid != before[i] {
			n.Errorf("%s was restarted: process %s, before %s", n.Name, pid, before[i])
		}
	}
}
