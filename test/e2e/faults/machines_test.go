// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// machineTable is what happens to booted machines: what systemd and dpkg have a part in.
var machineTable = []fault{
	// It comes first: all others happen to the package under test.
	{name: upgrade, lasts: 0, without: bound, perfect: true,
		do: func(s *site) func() { return s.oneAfterTheOther(func(n *node) { n.install(n.Package("deb")) }) }},
	{name: "kill -9 of the leader, which systemd starts again", lasts: 20 * time.Second, without: bound,
		do: func(s *site) func() { s.leader().unit("kill", "--signal=KILL"); return func() {} }},
	{name: "kill -9 of all, which systemd starts again", lasts: 5 * time.Second, without: 2 * bound,
		do: func(s *site) func() {
			for _, n := range s.nodes {
				n.unit("kill", "--signal=KILL")
			}
			return func() {}
		}},
	{name: "systemctl stop of the leader", lasts: 20 * time.Second, without: bound, perfect: true,
		do: func(s *site) func() {
			n := s.leader()
			n.unit("stop")
			return func() { n.unit("start") }
		}},
	{name: "rolling restart by systemctl", lasts: 0, without: bound, perfect: true,
		do: func(s *site) func() { return s.oneAfterTheOther(func(n *node) { n.unit("restart") }) }},
	{name: "reboot of the leader", lasts: 0, without: 2 * bound,
		do: func(s *site) func() { s.leader().machine.Reboot(); return func() {} }},
	{name: "SIGSTOP of the leader, which the watchdog ends", lasts: time.Minute, without: 2 * bound,
		do: func(s *site) func() { s.leader().unit("kill", "--signal=STOP"); return func() {} }},
}

// upgrade is from an earlier package to the one under test.
const upgrade = "rolling upgrade of the package"

const (
	unitName   = "khw-controller.service"
	auditFile  = "/etc/kubernetes/audit-policy.yaml"
	configFile = "/etc/kubernetes/config/khw-controller.yaml"
	// machineConfig is a controller with the embedded etcd, which can be asked from
	// other machines.
	machineConfig = `controllers: [%s]
snapshot-interval: 0s
kube-apiserver-arg: [audit-log-path=/var/log/khw-controller/audit.log, audit-policy-file=%s]
etcd-arg: ["listen-client-urls=https://127.0.0.1:2379,https://%s:2379"]
`
)

// newMachines boots three machines with a package, all of which serve.
func newMachines(e *harness.Env) *site {
	e.Helper()
	files := e.Controller("lab", cluster.DefaultPorts())
	files.PrepareAsInTheLab()
	network := machine.NewNetwork(e)
	s := &site{Env: e, kind: machines, client: network.Host("client", clientAddress)}
	for i := range 3 {
		name, address := fmt.Sprintf("controller-%d", i), fmt.Sprintf("10.240.0.%d", 10+i)
		n := &node{Node: &trio.Node{Host: &machine.Host{Env: e, Name: name, Address: address}}, machine: network.Boot(name, address)}
		n.dial, n.lab = s.client.Dial, files.Lab("")
		n.audit = n.auditOfMachine
		config := s.through(files, address)
		config.Timeout = 5 * time.Second
		var err error
		n.direct, err = kubernetes.NewForConfig(config)
		e.Must(err)
		n.prepareMachine(files)
		s.nodes = append(s.nodes, n)
	}
	for _, n := range s.nodes {
		n.machine.Do("systemctl", "enable", unitName)
		n.unit("start", "--no-block")
	}
	s.serve(network, files)
	return s
}

func (n *node) prepareMachine(files *harness.Controller) {
	n.Helper()
	m := n.machine
	entries, err := os.ReadDir(files.Lab(""))
	n.Must(err)
	for _, f := range entries {
		m.Copy(files.Lab(f.Name()), "/var/lib/kubernetes/"+f.Name())
	}
	if chosen(machines, upgrade) {
		n.install(n.PackageBefore("deb"))
	} else {
		n.install(n.Package("deb"))
	}
	m.Write(auditFile, cluster.AuditWrites)
	m.Write(configFile, fmt.Sprintf(machineConfig, trio.Controllers, auditFile, n.Address))
	m.Sh("chmod 600 /var/lib/kubernetes/*-key.pem /var/lib/kubernetes/*.kubeconfig; chown -R khw-controller: /var/lib/kubernetes")
}

// install installs a package, over the one that is there.
func (n *node) install(from string) {
	n.Helper()
	to := "/root/" + filepath.Base(from)
	n.machine.Copy(from, to)
	n.machine.Do("dpkg", "--install", "--force-confold", to)
}

// unit has systemctl do something to the controller.
func (n *node) unit(verb string, options ...string) {
	n.Helper()
	n.machine.Do(append(append([]string{"systemctl", verb}, options...), unitName)...)
}

func (n *node) auditOfMachine() []auditv1.Event {
	n.Helper()
	copied := n.Path(n.Name + "-audit.log")
	n.Must(os.WriteFile(copied, []byte(n.machine.Do("cat", "/var/log/khw-controller/audit.log")), 0o600))
	events, err := cluster.ReadAudit(copied)
	n.Must(err)
	return events
}

// oneAfterTheOther does something to each node, and waits until all are whole again.
func (s *site) oneAfterTheOther(do func(*node)) func() {
	s.Helper()
	for _, n := range s.nodes {
		do(n)
		s.await("three whole controllers, after "+n.Name, func(ctx context.Context) error { return s.whole(ctx) })
	}
	return func() {}
}
