// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"path/filepath"

	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// Stock is a controller as the lab builds it: the three daemons of the same
// Kubernetes, one process each.
type Stock struct {
	*Env
	// Program says where a daemon's program is.
	Program func(name string) string
	// Root has the lab's paths below it.
	Root string
	// Ports are where its daemons listen.
	Ports cluster.Ports

	values lab.Values
}

// Stock returns a stock controller on an external etcd, with the lab's files of
// another controller and nothing started yet.
func (e *Env) Stock(name string, from *Controller, etcd *Etcd) *Stock {
	e.Helper()
	s := &Stock{Env: e, Program: e.StockBinary, Root: e.Path(name), Ports: e.FreePorts()}
	s.values = lab.Values{Root: s.Root, AdvertiseAddress: "192.0.2.10", EtcdServers: etcd.URLs()}
	e.copyPKI(from.Lab(""), s.lab(""), s.Ports.APIServer)
	e.Must(cluster.WriteStockSchedulerConfig(s.Root))
	return s
}

// Start starts one of its daemons, with more arguments than the lab's.
func (s *Stock) Start(c lab.Component, more ...string) *process.Process {
	s.Helper()
	args, err := cluster.StockArgs(c, s.values, s.Ports)
	s.Must(err)
	return s.Env.Start(filepath.Base(s.Root)+"-"+string(c), process.Spec{Path: s.Program(string(c)), Args: append(args, more...)})
}

// Client returns a client with the admin's kubeconfig.
func (s *Stock) Client() *kubernetes.Clientset {
	s.Helper()
	client, err := cluster.Client(s.Kubeconfig())
	s.Must(err)
	return client
}

// Kubeconfig is the path of the admin's kubeconfig.
func (s *Stock) Kubeconfig() string { return s.lab("admin.kubeconfig") }

func (s *Stock) lab(name string) string { return filepath.Join(s.Root, "var/lib/kubernetes", name) }
