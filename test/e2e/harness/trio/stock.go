// SPDX-License-Identifier: Apache-2.0

package trio

import (
	"os"
	"os/exec"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// StockArgs is the command line of a stock component in the place of n, with the lab's
// flags, and with its file.
func (n *Node) StockArgs(c lab.Component, etcd ...string) []string {
	n.Helper()
	args, err := cluster.StockArgs(c, lab.Values{Root: n.Root, AdvertiseAddress: n.Address, EtcdServers: etcd}, cluster.DefaultPorts())
	n.Must(err)
	switch c {
	case lab.APIServer:
		args = append(args, "--bind-address=0.0.0.0") // not on this host only
	case lab.Scheduler:
		n.Must(cluster.WriteStockSchedulerConfig(n.Root))
	}
	return args
}

// overTLS is what a balancer's configuration has in place of a health check on port 80
// for controllers that have no such port.
var overTLS = strings.NewReplacer(
	"uri /healthz", "uri /readyz",
	"check port 80 inter", "check check-ssl verify none inter",
)

// Balance starts haproxy on a host, as `init --print haproxy` configures it for the
// three. Where they are stock daemons, /readyz is checked.
func Balance(at *machine.Host, stock bool) *process.Process {
	at.Helper()
	config, err := exec.CommandContext(at.Context(), at.Binary(), "init", "--controllers", Controllers, "--print", "haproxy").Output()
	at.Must(err)
	if stock {
		config = []byte(overTLS.Replace(string(config)))
	}
	path := at.Path("haproxy.cfg")
	at.Must(os.WriteFile(path, config, 0o600))
	return at.Start("haproxy", process.Spec{Path: "/usr/sbin/haproxy", Args: []string{"-db", "-f", path}})
}
