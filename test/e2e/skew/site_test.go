// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

const (
	etcdAddress     = "10.240.0.20"
	balancerAddress = "10.240.0.100"
	clientAddress   = "10.240.0.200"
)

// site is three controllers, an etcd for all of them, a balancer before them, and who
// uses them through it.
type site struct {
	*harness.Env
	nodes   []*node
	admin   *restclient.Config // through the balancer
	etcd    *clientv3.Client
	checked int
}

// node is one controller: ours, or the stock daemons of the release before.
type node struct {
	*trio.Node
	direct *kubernetes.Clientset
	audit  string
	etcd   string

	stock  []*process.Process // the latest, in the order in which they were started
	starts int
}

// newSite makes one, with the release before on all three, of which everything serves.
func newSite(e *harness.Env) *site {
	e.Helper()
	files := e.Controller("lab", cluster.DefaultPorts())
	files.PrepareAsInTheLab(etcdAddress)
	network := machine.NewNetwork(e)
	client := network.Host("client", clientAddress)
	s := &site{Env: e}
	member := cluster.EtcdMember{Name: "etcd", Address: etcdAddress, DataDir: e.Path("etcd"), ClientPort: 2379, PeerPort: 2380}
	network.Host("etcd", etcdAddress).Start("etcd", process.Spec{
		Path: e.SkewProgram("etcd"), Args: cluster.EtcdArgs(files.Lab(""), member, []cluster.EtcdMember{member}),
	})
	var err error
	s.etcd, err = cluster.EtcdClientFrom(client.Dial, files.Lab(""), member.ClientURL())
	e.Must(err)
	e.Cleanup(func() {
		if err := s.etcd.Close(); err != nil && !errors.Is(err, context.Canceled) {
			e.Error(err)
		}
	})
	addresses := map[string]string{}
	audit := e.AuditPolicy(cluster.AuditWrites)
	for _, n := range trio.HostsOn(network) {
		addresses[n.Name] = n.Address
		s.nodes = append(s.nodes, &node{Node: n, audit: audit, etcd: member.ClientURL()})
	}
	for _, n := range s.nodes {
		n.Knows(addresses)
		n.Prepare(files, "root")
		config := n.Config(n.Lab("admin.kubeconfig"))
		config.Timeout = 5 * time.Second
		n.direct, err = kubernetes.NewForConfig(config)
		e.Must(err)
		n.startStock()
	}
	trio.Balance(network.Host("balancer", balancerAddress), true) // there are stock ones all the time but once
	s.admin, err = cluster.Config(files.Lab("admin.kubeconfig"))
	e.Must(err)
	s.admin.Host, s.admin.ServerName, s.admin.Dial = "https://"+net.JoinHostPort(balancerAddress, "6443"), "kubernetes.default", client.Dial
	s.awaitWhole()
	e.Must(cluster.CreateNodes(e.Context(), s.nodes[0].direct, 40))
	return s
}

// startStock starts the daemons of the release before.
func (n *node) startStock() {
	n.Helper()
	n.starts++
	n.stock = nil
	for _, c := range lab.Components() {
		args := n.StockArgs(c, n.etcd)
		if c == lab.APIServer {
			args = append(args, "--"+n.audit)
		}
		n.stock = append(n.stock, n.Host.Start(fmt.Sprintf("%s-%s-%d", n.Name, c, n.starts), process.Spec{Path: n.SkewProgram(string(c)), Args: args}))
	}
	n.awaitServing(n.stock[0])
}

// stopStock stops them, the apiserver last.
func (n *node) stopStock() {
	n.Helper()
	for i := range n.stock {
		_, err := n.stock[len(n.stock)-1-i].Stop(harness.Patience)
		n.Must(err)
	}
	n.stock = nil
}

// startOurs starts khw-controller, with more arguments.
func (n *node) startOurs(more ...string) {
	n.Helper()
	n.Args = append([]string{"--advertise-address", n.Address, "--etcd-servers", n.etcd, "--snapshot-interval", "0", "--kube-apiserver-arg", n.audit}, more...)
	n.Start()
	n.awaitServing(n.Process)
	n.AwaitReady()
}

// awaitServing waits for its apiserver.
func (n *node) awaitServing(p *process.Process) {
	n.Helper()
	n.WithinAlive(p, 2*harness.Patience, n.Name+" to serve", func(ctx context.Context) error { return cluster.Readyz(ctx, n.direct) })
}

// status is what one of ours says of itself.
func (n *node) status(ctx context.Context) (*status.Report, error) {
	out, err := n.Command(ctx, n.Binary(), "status", "--root", n.Root, "-o", "json").Output()
	r := &status.Report{}
	if bad := json.Unmarshal(out, r); bad != nil {
		return nil, errors.Join(err, bad)
	}
	return r, nil // the exit code says no more
}

// summary is what the service manager would show of it.
func (s *site) summary(n *node) string {
	s.Helper()
	r, err := n.status(s.Context())
	s.Must(err)
	return r.Summary
}

// renewed is the lab's time from one renewal of a lease to the next, and some more.
const renewed = 5 * time.Second

// awaitWhole waits until each controller serves, and who holds the leases renews them.
func (s *site) awaitWhole() {
	s.Helper()
	s.Within(2*harness.Patience, "three whole controllers", func(ctx context.Context) error {
		for _, n := range s.nodes {
			if err := cluster.Readyz(ctx, n.direct); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
		}
		return cluster.BothRenewed(ctx, s.nodes[0].direct, renewed)
	})
}

// revision is etcd's.
func (s *site) revision() int64 {
	s.Helper()
	r, err := s.etcd.Get(s.Context(), "/")
	s.Must(err)
	return r.Header.Revision
}

// namespace makes a new one for somebody who checks.
func (s *site) namespace() string {
	s.Helper()
	s.checked++
	name := fmt.Sprintf("check-%d", s.checked)
	_, err := s.nodes[0].direct.CoreV1().Namespaces().Create(s.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	s.Must(err)
	s.Eventually("the namespace "+name, func(ctx context.Context) error {
		_, err := s.nodes[0].direct.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return name
}
