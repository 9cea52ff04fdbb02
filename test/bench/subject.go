// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// subject is what is measured.
type subject interface {
	// start starts all processes and returns without waiting.
	start() error
	// pids returns the processes that run now.
	pids() []int
	stop()
}

// site is where a subject lives: a root with the lab's files, and ports.
type site struct {
	dir   string
	ports cluster.Ports
}

// advertise is an address for documentation (RFC 5737): nothing is reached there.
const advertise = "192.0.2.10"

func newSite(dir string) (site, error) {
	ports, err := cluster.FreePorts()
	if err != nil {
		return site{}, err
	}
	s := site{dir: dir, ports: ports}
	return s, pki.Generate(pki.FilesIn(s.lab()), pki.Spec{
		AdvertiseAddress: net.ParseIP(advertise),
		ServiceIP:        net.IPv4(10, 32, 0, 1),
		ServerPort:       ports.APIServer,
	})
}

// onNewSite calls use with a new site, and removes it afterwards unless there was
// an error.
func onNewSite(use func(site) error) (err error) {
	dir, err := os.MkdirTemp("", "khw-bench-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w (logs are kept in %s)", err, dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	s, err := newSite(dir)
	if err != nil {
		return err
	}
	return use(s)
}

func (s site) root() string           { return filepath.Join(s.dir, "root") }
func (s site) lab() string            { return filepath.Join(s.root(), "var/lib/kubernetes") }
func (s site) log(name string) string { return filepath.Join(s.dir, name+".log") }

// khw is khw-controller with its embedded etcd.
type khw struct {
	site
	process *process.Process
}

func (k *khw) start() error {
	path, err := harness.Binary()
	if err != nil {
		return err
	}
	args := append([]string{"run", "--root", k.root(), "--advertise-address", advertise}, k.ports.ControllerArgs(true)...)
	k.process, err = process.Start(process.Spec{Path: path, Args: args, Log: k.log("khw-controller")})
	return err
}

func (k *khw) pids() []int { return []int{k.process.PID()} }
func (k *khw) stop()       { k.process.Kill() }

// stock is etcd and the three daemons of the lab.
type stock struct {
	site
	etcd    *process.Process
	daemons []*daemon
}

func (s *stock) start() error {
	member := cluster.EtcdMember{Name: "etcd-0", DataDir: filepath.Join(s.dir, "etcd"), ClientPort: s.ports.EtcdClient, PeerPort: s.ports.EtcdPeer}
	etcd, err := harness.StockBinary("etcd")
	if err != nil {
		return err
	}
	s.etcd, err = process.Start(process.Spec{Path: etcd, Args: cluster.EtcdArgs(s.lab(), member, []cluster.EtcdMember{member}), Log: s.log("etcd")})
	if err != nil {
		return err
	}
	if err := cluster.WriteStockSchedulerConfig(s.root()); err != nil {
		return err
	}
	values := lab.Values{Root: s.root(), AdvertiseAddress: advertise, EtcdServers: []string{member.ClientURL()}}
	for _, c := range lab.Components() {
		path, err := harness.StockBinary(string(c))
		if err != nil {
			return err
		}
		args, err := cluster.StockArgs(c, values, s.ports)
		if err != nil {
			return err
		}
		if c != lab.APIServer {
			args = append(args, cluster.StockMetrics)
		}
		d := &daemon{spec: process.Spec{Path: path, Args: args, Log: s.log(string(c))}, stopped: make(chan struct{})}
		s.daemons = append(s.daemons, d)
		if d.process, err = process.Start(d.spec); err != nil {
			return err
		}
		go d.keep()
	}
	return nil
}

func (s *stock) pids() []int {
	pids := []int{s.etcd.PID()}
	for _, d := range s.daemons {
		pids = append(pids, d.process.PID())
	}
	return pids
}

func (s *stock) stop() {
	for _, d := range s.daemons {
		close(d.stopped)
		d.process.Kill()
	}
	s.etcd.Kill()
}

// daemon is kept running, as systemd would.
type daemon struct {
	spec    process.Spec
	process *process.Process
	stopped chan struct{}
}

// keep starts the daemon again 1 s after it ended.
func (d *daemon) keep() {
	for {
		select {
		case <-d.stopped:
			return
		case <-d.process.Exited():
		}
		select {
		case <-d.stopped:
			return
		case <-time.After(time.Second):
		}
		again, err := process.Start(d.spec)
		if err != nil {
			return // the run fails for want of its daemon
		}
		d.process = again
	}
}
