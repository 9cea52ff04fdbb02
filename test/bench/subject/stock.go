// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// stock is etcd and the three daemons of the lab.
type stock struct {
	Site
	etcd    *process.Process
	daemons []*daemon // the apiserver first
}

func (s *stock) Start() error {
	member := cluster.EtcdMember{Name: "etcd-0", DataDir: filepath.Join(s.Dir, "etcd"), ClientPort: s.Ports.EtcdClient, PeerPort: s.Ports.EtcdPeer}
	etcd, err := harness.StockBinary("etcd")
	if err != nil {
		return err
	}
	args := cluster.EtcdArgs(s.Lab(""), member, []cluster.EtcdMember{member})
	for _, arg := range s.EtcdArgs {
		args = append(args, "--"+arg)
	}
	if s.etcd, err = process.Start(process.Spec{Path: etcd, Args: args, Log: s.Log("etcd")}); err != nil {
		return err
	}
	if err := cluster.WriteStockSchedulerConfig(s.root()); err != nil {
		return err
	}
	s.daemons = nil
	values := lab.Values{Root: s.root(), AdvertiseAddress: advertise, EtcdServers: []string{member.ClientURL()}}
	for _, c := range lab.Components() {
		path, err := harness.StockBinary(string(c))
		if err != nil {
			return err
		}
		args, err := cluster.StockArgs(c, values, s.Ports)
		if err != nil {
			return err
		}
		if c != lab.APIServer {
			args = append(args, cluster.StockMetrics)
		}
		d, err := startDaemon(process.Spec{Path: path, Args: args, Log: s.Log(string(c))})
		if err != nil {
			return err
		}
		s.daemons = append(s.daemons, d)
	}
	return nil
}

func (s *stock) PIDs() []int {
	pids := []int{s.etcd.PID()}
	for _, d := range s.daemons {
		if p := d.current(); p.Running() {
			pids = append(pids, p.PID())
		}
	}
	return pids
}

func (s *stock) CPUSeconds() (float64, error) {
	total, err := CPUSeconds([]int{s.etcd.PID()})
	for _, d := range s.daemons {
		used, failed := d.cpuSeconds()
		total, err = total+used, errors.Join(err, failed)
	}
	return total, err
}

func (s *stock) Failed() error { return ended("etcd", s.etcd) }

// Stop ends those first that need others.
func (s *stock) Stop() error {
	for _, d := range slices.Backward(s.daemons) {
		if err := d.stop(); err != nil {
			return err
		}
	}
	return stop("etcd", s.etcd)
}

func (s *stock) Kill() {
	for _, d := range s.daemons {
		d.kill()
	}
	if s.etcd != nil {
		s.etcd.Kill()
	}
}
