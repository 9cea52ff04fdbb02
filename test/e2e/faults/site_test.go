// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// kind is what the three controllers are.
type kind string

const (
	embedded kind = "embedded etcd"
	external kind = "external etcd"
	stock    kind = "stock daemons"
	// machines are booted ones, with the package and its unit, and embedded etcd.
	machines kind = "booted machines"
)

const (
	balancerAddress = "10.240.0.100"
	clientAddress   = "10.240.0.200"
)

// patience is how long the three may take to be whole again, on a busy machine.
const patience = 2 * harness.Patience

// site is three controllers, a balancer before them, and who uses them through it.
type site struct {
	*harness.Env
	kind    kind
	nodes   []*node
	client  *machine.Host
	admin   *restclient.Config // through the balancer
	haproxy *process.Process
	served  int
	disk    *disk // where one is small
}

// node is one controller: a host with its services.
type node struct {
	*trio.Node
	control []*service       // khw-controller, or the stock daemons
	machine *machine.Machine // where it is a whole one, which has no services here
	etcd    *service         // where it is a process of its own
	direct  *kubernetes.Clientset

	// How its member is reached, with which certificates.
	dial  cluster.Dial
	lab   string
	audit func() []auditv1.Event
}

// services are all of them.
func (n *node) services() []*service {
	if n.etcd == nil {
		return n.control
	}
	return append([]*service{n.etcd}, n.control...)
}

// member is the service that etcd's member is part of.
func (n *node) member() *service {
	if n.etcd != nil {
		return n.etcd
	}
	return n.control[0]
}

// newSite makes one, of which everything serves.
func newSite(e *harness.Env, k kind) *site {
	e.Helper()
	files := e.Controller("lab", cluster.DefaultPorts())
	files.PrepareAsInTheLab()
	network := machine.NewNetwork(e)
	s := &site{Env: e, kind: k, client: network.Host("client", clientAddress)}
	audit := e.AuditPolicy(cluster.AuditWrites)
	var members []cluster.EtcdMember
	var urls []string
	for _, n := range trio.HostsOn(network) {
		n.Prepare(files, "root")
		m := cluster.EtcdMember{Name: n.Name, Address: n.Address, DataDir: n.Etcd(), ClientPort: 2379, PeerPort: 2380}
		members, urls = append(members, m), append(urls, m.ClientURL())
		s.nodes = append(s.nodes, &node{Node: n})
	}
	for i, n := range s.nodes {
		if k != embedded {
			n.etcd = &service{Node: n.Node, called: "etcd", path: e.StockBinary("etcd"), args: cluster.EtcdArgs(files.Lab(""), members[i], members)}
			n.etcd.extra = []string{"--listen-client-urls=" + members[i].ClientURL() + ",https://127.0.0.1:2379"}
			n.etcd.start()
			n.Args = []string{"--advertise-address", n.Address, "--etcd-servers", strings.Join(urls, ",")}
		}
		if k == stock {
			n.stockControl(urls, audit)
		} else {
			args := append([]string{"run", "--root", n.Root, "--kube-apiserver-arg", audit}, n.Args...)
			n.control = []*service{{Node: n.Node, called: controller, path: e.Binary(), args: args}}
		}
		for _, v := range n.control {
			v.start()
		}
		config := n.Config(n.Lab("admin.kubeconfig"))
		config.Timeout = 5 * time.Second
		var err error
		n.direct, err = kubernetes.NewForConfig(config)
		e.Must(err)
		n.dial, n.lab = n.Dial, n.Lab("")
		n.audit = func() []auditv1.Event { return e.Audit(n.Root) }
	}
	s.serve(network, files)
	return s
}

// serve puts the balancer before the controllers and waits until all is whole.
func (s *site) serve(network *machine.Network, files *harness.Controller) {
	s.Helper()
	s.haproxy = trio.Balance(network.Host("balancer", balancerAddress), s.kind == stock)
	s.admin = s.through(files, balancerAddress)
	s.awaitWhole("at the start")
	s.await("the nodes to be made", func(ctx context.Context) error {
		return cluster.CreateNodes(ctx, s.nodes[0].direct, 60)
	})
}

// through is how the admin reaches the apiserver at an address.
func (s *site) through(files *harness.Controller, address string) *restclient.Config {
	s.Helper()
	config, err := cluster.Config(files.Lab("admin.kubeconfig"))
	s.Must(err)
	config.Host, config.ServerName, config.Dial = "https://"+net.JoinHostPort(address, "6443"), "kubernetes.default", s.client.Dial
	return config
}

// stockControl prepares the lab's three daemons.
func (n *node) stockControl(etcd []string, audit string) {
	n.Helper()
	for _, c := range lab.Components() {
		v := &service{Node: n.Node, called: string(c), path: n.StockBinary(string(c)), args: n.StockArgs(c, etcd...)}
		if c == lab.APIServer {
			v.extra = []string{"--" + audit}
		}
		n.control = append(n.control, v)
	}
}

// markedDown counts how often the balancer has found that a controller does not
// serve, by their names.
func (s *site) markedDown() map[string]int {
	times := map[string]int{}
	for _, l := range s.haproxy.Lines() {
		for _, n := range s.nodes {
			if strings.Contains(l, "Server controllers/"+n.Name+" is DOWN") {
				times[n.Name]++
			}
		}
	}
	return times
}

// logged is how many lines each of the controllers has logged that are no machines.
func (s *site) logged() map[string]int {
	lines := map[string]int{}
	for _, n := range s.nodes {
		for _, v := range n.control {
			lines[n.Name] += v.logged()
		}
	}
	return lines
}

// most is the largest growth from one count to the next.
func most(before, after map[string]int) int {
	most := 0
	for name, n := range after {
		most = max(most, n-before[name])
	}
	return most
}

// tend does what systemd would.
func (s *site) tend() {
	for _, n := range s.nodes {
		for _, v := range n.services() {
			v.tend()
		}
	}
}

// await waits for a condition while the services are tended.
func (s *site) await(what string, done func(context.Context) error) {
	s.Helper()
	s.Within(patience, what, func(ctx context.Context) error {
		s.tend()
		return done(ctx)
	})
}

// awaitWhole waits for everything to work, and tells what took how long.
func (s *site) awaitWhole(when string) {
	s.Helper()
	var missing string
	var since time.Time
	s.await("three whole controllers "+when, func(ctx context.Context) error {
		err := s.whole(ctx)
		if now := text(err); now != missing {
			if took := time.Since(since); missing != "" && took > time.Second {
				s.Logf("%s, for %s: %s", when, took.Round(100*time.Millisecond), missing)
			}
			missing, since = now, time.Now()
		}
		return err
	})
}

// passed are the checks of /readyz that have.
var passed = regexp.MustCompile(`\[\+\][^ ]+ ok(\\n)?`)

func text(err error) string {
	if err == nil {
		return ""
	}
	return passed.ReplaceAllString(err.Error(), "")
}

// pass lets a fault last.
func (s *site) pass(d time.Duration) {
	s.Helper()
	over := time.Now().Add(d)
	s.Within(d+harness.Patience, "the fault to have lasted", func(context.Context) error {
		s.tend()
		if left := time.Until(over); left > 0 {
			return fmt.Errorf("%s are left", left)
		}
		return nil
	})
}

// whole returns nil when every controller serves by itself, every member of etcd
// answers, and both leases are held by somebody who renews them.
func (s *site) whole(ctx context.Context) error {
	for _, n := range s.nodes {
		if err := n.serves(ctx); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return cluster.BothRenewed(ctx, s.nodes[0].direct, renewed)
}

// renewed is the lab's time from one renewal of a lease to the next, and some more.
const renewed = 5 * time.Second

// awaitPeers waits until each member of etcd hears each other one, which it does who
// answers while that one leads. Through a connection that a fault has cut, the kernel
// sends again later and later, half a minute after its end: a fault of its own to the next.
func (s *site) awaitPeers() {
	s.Helper()
	s.await("each member of etcd to hear each other", func(ctx context.Context) error {
		for _, leader := range s.nodes {
			if err := s.leadEtcd(ctx, leader); err != nil {
				return err
			}
			for _, n := range s.nodes {
				if err := n.hasQuorum(ctx); err != nil {
					return fmt.Errorf("%s, while %s leads: %w", n.Name, leader.Name, err)
				}
			}
		}
		return nil
	})
}

// hasQuorum returns nil when this node's member answers what it has to ask the leader for.
func (n *node) hasQuorum(ctx context.Context) error {
	return n.askEtcd(ctx, func(ctx context.Context, c *clientv3.Client) error { return etcdclient.CheckQuorum(ctx, c) })
}

func (n *node) serves(ctx context.Context) error {
	for _, v := range n.services() {
		if v.process == nil || !v.process.Running() {
			return fmt.Errorf("%s does not run", v.called)
		}
	}
	if err := cluster.Readyz(ctx, n.direct); err != nil {
		return err
	}
	return n.hasQuorum(ctx)
}

// localEtcd is where a node reaches its own member.
const localEtcd = "https://127.0.0.1:2379"

// etcdURL is where its member is reached by who asks here.
func (n *node) etcdURL() string {
	if n.machine != nil {
		return "https://" + n.Address + ":2379"
	}
	return localEtcd
}

// askEtcd asks this node's member.
func (n *node) askEtcd(ctx context.Context, ask func(context.Context, *clientv3.Client) error) error {
	client, err := cluster.EtcdClientFrom(n.dial, n.lab, n.etcdURL())
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return ask(ctx, client)
}

// revision is etcd's.
func (s *site) revision() int64 {
	s.Helper()
	var at int64
	s.await("etcd's revision", func(ctx context.Context) error {
		return s.nodes[0].askEtcd(ctx, func(ctx context.Context, c *clientv3.Client) error {
			r, err := c.Get(ctx, "/")
			if err == nil {
				at = r.Header.Revision
			}
			return err
		})
	})
	return at
}

// leader returns the node whose controller-manager leads, and has it lead etcd, too.
func (s *site) leader() *node {
	s.Helper()
	var leader *node
	s.await("a leader", func(ctx context.Context) error {
		holder, err := cluster.Holder(ctx, s.nodes[0].direct, cluster.ControllerManagerLease)
		if err != nil {
			return err
		}
		for _, n := range s.nodes {
			if strings.HasPrefix(holder, n.Name+"_") {
				leader = n
				return s.leadEtcd(ctx, n)
			}
		}
		return fmt.Errorf("%s is none of the nodes", holder)
	})
	return leader
}

// leadEtcd has a node's member lead.
func (s *site) leadEtcd(ctx context.Context, leader *node) error {
	var id uint64
	if err := leader.askEtcd(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Status(ctx, c.Endpoints()[0])
		if err == nil {
			id = r.Header.MemberId
		}
		return err
	}); err != nil {
		return err
	}
	for _, n := range s.nodes {
		if err := n.askEtcd(ctx, func(ctx context.Context, c *clientv3.Client) error {
			r, err := c.Status(ctx, c.Endpoints()[0])
			if err != nil || r.Leader == id || r.Leader != r.Header.MemberId {
				return err
			}
			_, err = c.MoveLeader(ctx, id)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// others are the nodes but one.
func (s *site) others(n *node) []*node {
	var others []*node
	for _, o := range s.nodes {
		if o != n {
			others = append(others, o)
		}
	}
	return others
}

// namespace makes a new one for somebody who checks.
func (s *site) namespace() string {
	s.Helper()
	s.served++
	name := fmt.Sprintf("check-%d", s.served)
	s.await("the namespace "+name, func(ctx context.Context) error {
		_, err := s.nodes[0].direct.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			_, create := s.nodes[0].direct.CoreV1().Namespaces().Create(ctx, namespaceOf(name), metav1.CreateOptions{})
			return errors.Join(err, create)
		}
		return nil
	})
	return name
}
