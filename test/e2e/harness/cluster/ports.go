// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Ports are where one control plane listens, all on 127.0.0.1.
type Ports struct {
	APIServer, ControllerManager, Scheduler int
	EtcdClient, EtcdPeer                    int
	Health                                  int
}

// DefaultPorts are Kubernetes' own. The apiserver's componentstatuses probes
// 10257 and 10259 wherever the components are. The health port is not 80, which
// a machine may have in use.
func DefaultPorts() Ports { return Ports{6443, 10257, 10259, 2379, 2380, 10080} }

// FreePorts picks ports that nobody uses.
func FreePorts() (Ports, error) {
	p, err := process.FreePorts(6)
	if err != nil {
		return Ports{}, err
	}
	return Ports{p[0], p[1], p[2], p[3], p[4], p[5]}, nil
}

// Secure are the HTTPS ports of the lab's components.
func (p Ports) Secure() map[lab.Component]int {
	return map[lab.Component]int{lab.APIServer: p.APIServer, lab.ControllerManager: p.ControllerManager, lab.Scheduler: p.Scheduler}
}

// Taken returns an error that names the first port in use.
func (p Ports) Taken() error {
	for _, port := range p.all() {
		if process.Listening(port) {
			return fmt.Errorf("port %d of 127.0.0.1 is taken; stop who listens there", port)
		}
	}
	return nil
}

func (p Ports) all() []int {
	return []int{p.APIServer, p.ControllerManager, p.Scheduler, p.EtcdClient, p.EtcdPeer, p.Health}
}

// ControllerArgs are the flags of `khw-controller run` for these ports.
// embedded reports whether its etcd is embedded.
func (p Ports) ControllerArgs(embedded bool) []string {
	args := []string{
		"--kube-apiserver-arg", "bind-address=127.0.0.1",
		"--kube-apiserver-arg", fmt.Sprintf("secure-port=%d", p.APIServer),
		"--kube-controller-manager-arg", "bind-address=127.0.0.1",
		"--kube-controller-manager-arg", fmt.Sprintf("secure-port=%d", p.ControllerManager),
		"--kube-scheduler-arg", "bind-address=127.0.0.1",
		"--kube-scheduler-arg", fmt.Sprintf("secure-port=%d", p.Scheduler),
		"--healthz-bind-address", fmt.Sprintf("127.0.0.1:%d", p.Health),
	}
	if embedded {
		args = append(args,
			"--etcd-arg", fmt.Sprintf("listen-client-urls=https://127.0.0.1:%d", p.EtcdClient),
			"--etcd-arg", fmt.Sprintf("listen-peer-urls=https://127.0.0.1:%d", p.EtcdPeer))
	}
	return args
}
