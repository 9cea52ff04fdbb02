// SPDX-License-Identifier: Apache-2.0

// Package alerts has each of the shipped alerts fired by what it is about: controllers
// suffer it, a Prometheus scrapes them by the shipped configuration and judges by the
// shipped rules, in which a minute is a second. In three acts, the faults of one act
// happen beside each other, on the lab's three controllers and on three that are alone.
package alerts

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// patience is how long an alert may take: the longest needs a minute, and the machine
// may be busy.
const patience = 2 * harness.Patience

// fault is something that happens to controllers.
type fault struct {
	name string
	// fires are the alerts that are to tell of it, each with what selects its series.
	fires map[string]string
	// do makes it happen and returns what undoes it, or nil; nil: it is so from the start.
	do func(*site) (undo func())
	// lasting are alerts that are not over soon after it is undone, with the reason.
	lasting map[string]string
}

func TestEachAlertFires(t *testing.T) {
	if os.Getenv("ALERTS") == "" {
		t.Skip("make e2e-alerts runs it")
	}
	s := newSite(harness.New(t))
	s.Within(patience, "all to be well", func(ctx context.Context) error {
		fires, err := s.prometheus.fires(ctx)
		fires = slices.DeleteFunc(fires, isFromStart)
		if err == nil && len(fires) > 0 {
			err = fmt.Errorf("%v", fires)
		}
		return err
	})
	for i, act := range acts {
		began := time.Now()
		s.Logf("act %d", i+1)
		var undo []func()
		for _, f := range act {
			from := time.Now()
			if f.do != nil {
				if u := f.do(s); u != nil {
					undo = append(undo, u)
				}
			}
			s.Logf("%s, after %s", f.name, time.Since(from).Round(100*time.Millisecond))
		}
		for _, f := range act {
			for alert, of := range f.fires {
				s.Within(patience, f.name+" to fire "+alert, func(ctx context.Context) error { return s.prometheus.fired(ctx, alert, of, began) })
			}
		}
		s.Logf("all have fired, after %s", time.Since(began).Round(time.Second))
		for _, u := range slices.Backward(undo) { // what a later fault has taken, an earlier one's end may need
			u()
		}
		for _, f := range act {
			for alert, of := range f.fires {
				if f.lasting[alert] == "" {
					s.Within(patience, "the end of "+alert, func(ctx context.Context) error {
						if s.prometheus.has(ctx, firing(alert, of)) == nil {
							return fmt.Errorf("it fires for %s", of)
						}
						return nil
					})
				}
			}
		}
		s.Logf("all are over, after %s", time.Since(began).Round(time.Second))
	}
}

// isFromStart reports whether an alert, with its labels, is of what is so from the start.
func isFromStart(alert string) bool {
	for _, f := range acts[0] {
		for name := range f.fires {
			if f.do == nil && strings.Contains(alert, "alertname="+name+" ") {
				return true
			}
		}
	}
	return false
}

// site is the lab's three controllers, three that are alone, and a Prometheus.
type site struct {
	*harness.Env
	lab  *harness.Controller // with all files
	trio []*trio.Node
	// disk has an external etcd, whose disk becomes slow; full an etcd with a small
	// quota; files has files that are wrong, gone, or on a small disk.
	disk, full, files *trio.Node
	prometheus        *prometheus

	etcd *process.Process // of disk, or who has started it
	// etcdBelow is how many generations there are in between, and etcds how many were
	// started.
	etcdBelow, etcds int
}

// How a controller alone is called, and where it is.
const (
	diskName, diskAddress   = "disk", "10.240.0.21"
	fullName, fullAddress   = "full", "10.240.0.22"
	filesName, filesAddress = "files", "10.240.0.23"
)

// newSite returns one in which everything is well.
func newSite(e *harness.Env) *site {
	e.Helper()
	// For the bucket of the one that has one.
	e.Setenv("AWS_ACCESS_KEY_ID", "nobody")
	e.Setenv("AWS_SECRET_ACCESS_KEY", "nothing")
	lab := e.Controller("lab", cluster.DefaultPorts())
	lab.PrepareAsInTheLab(diskAddress, fullAddress, filesAddress)
	lab.LabPrometheus()
	network := machine.NewNetwork(e)
	s := &site{Env: e, lab: lab, trio: trio.HostsOn(network)}
	alone := func(name, address string, args ...string) *trio.Node {
		return &trio.Node{Host: network.Host(name, address), Args: args}
	}
	s.disk = alone(diskName, diskAddress, "--snapshot-interval", "0", "--etcd-servers", "https://"+diskAddress+":2379")
	s.full = alone(fullName, fullAddress, "--snapshot-interval", "0", "--shutdown-delay", stopDelay, "--etcd-arg", "quota-backend-bytes=16777216", "--etcd-arg", "listen-metrics-urls=http://"+fullAddress+":2381")
	// It bears 7 s without a renewal, and one is late after 4.
	for _, component := range cluster.Leases() {
		for _, timing := range []string{"lease-duration=8s", "renew-deadline=6s", "retry-period=1s"} {
			s.full.Args = append(s.full.Args, "--"+component+"-arg", "leader-elect-"+timing)
		}
	}
	s.files = alone(filesName, filesAddress)
	all := append(s.alone(), s.trio...)
	for _, n := range all {
		n.Prepare(lab, "root")
	}
	s.files.Under = smallDisk(s.files)
	s.files.Args = append(s.files.Args, spoilable(s.files)...)
	s.startEtcd()
	for _, some := range [][]*trio.Node{s.alone(), s.trio} { // six at once would take too long on a busy machine
		for _, n := range some {
			n.Start()
		}
		for _, n := range some {
			n.AwaitReady()
		}
	}
	s.prometheus = startPrometheus(network.Host("prometheus", "10.240.0.200"), lab.Lab(""), shortened(shippedRules(e.T)), []target{
		{diskAddress, diskName, []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"}},
		{fullAddress, fullName, []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", metricsURL}},
		{filesAddress, filesName, []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}}, // and nobody scrapes its etcd
	})
	s.watchStatus(all)
	return s
}

func (s *site) alone() []*trio.Node { return []*trio.Node{s.disk, s.full, s.files} }

// startEtcd starts the external member of disk, by a command where there is one.
func (s *site) startEtcd(under ...string) {
	s.Helper()
	n := s.disk
	m := cluster.EtcdMember{Name: n.Name, Address: n.Address, DataDir: n.Etcd(), ClientPort: 2379, PeerPort: 2380}
	command := slices.Concat(under, []string{n.StockBinary("etcd")}, cluster.EtcdArgs(n.Lab(""), m, []cluster.EtcdMember{m}))
	s.etcds++
	s.etcd, s.etcdBelow = n.Host.Start(fmt.Sprintf("etcd-%d", s.etcds), process.Spec{Path: command[0], Args: command[1:]}), min(1, len(under))
}

// watchStatus has somebody look at every controller's status all the time, until the
// test is over: what it shows, the metrics do too, and otherwise once in a minute.
func (s *site) watchStatus(nodes []*trio.Node) {
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			tick := time.NewTicker(2 * time.Second)
			defer tick.Stop()
			for {
				// One that is dead says nothing.
				_, _ = status.AskSocket(ctx, paths.StatusSocket.Below(n.Root))
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	s.Cleanup(func() { cancel(); wg.Wait() })
}
