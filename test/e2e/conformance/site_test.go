// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
	"github.com/khw-controller/khw-controller/test/e2e/harness/worker"
)

const (
	server      = "https://10.240.0.10:6443"
	userAddress = "10.240.0.200"
	// issuer is the host of service account tokens' issuer, where pods look for its keys:
	// the lab's certificate does not name it, ours does.
	issuer = "kubernetes.default.svc.cluster.local"
	// workers is how many there are: some cases need two.
	workers = 2
)

// subject is who is tested.
type subject string

const (
	stock subject = "stock"
	ours  subject = "ours"
	cis   subject = "cis" // ours with this profile
)

// site is a controller with workers, and somebody who uses it.
type site struct {
	*harness.Env
	subject    subject
	controller *trio.Node
	user       *machine.Host
	client     *kubernetes.Clientset
	kubeconfig string
	kubectl    string
	// aggregation are flags of the apiserver by which it reaches webhooks and aggregated
	// APIs of pods, and these believe it.
	aggregation []string
}

// newSite starts them and waits until pods can be run and services found.
func newSite(e *harness.Env, who subject) *site {
	e.Helper()
	network := machine.NewNetwork(e)
	files := e.Controller("lab", cluster.DefaultPorts())
	files.PrepareAsInTheLab(issuer)
	files.FrontProxy()
	n := &trio.Node{Host: network.Host("controller-0", "10.240.0.10"), Args: []string{"--advertise-address", "10.240.0.10"}}
	n.Prepare(files, "root")
	n.Knows(worker.Names(workers))
	s := &site{Env: e, subject: who, controller: n, user: network.Host("user", userAddress), kubeconfig: e.Path("admin.kubeconfig"), kubectl: e.Path("kubectl")}
	files.LabKubeconfig("admin", "admin", server, s.kubeconfig)
	s.aggregation = e.FrontProxyArgs(n.Lab(""))
	if who == stock {
		s.startStock()
	} else {
		for _, arg := range s.aggregation {
			n.Args = append(n.Args, "--kube-apiserver-arg", arg)
		}
		if who == cis {
			n.Args = append(n.Args, "--profile", "cis")
		}
		n.Start()
		n.AwaitReady()
		e.Must(os.Symlink(e.Binary(), s.kubectl))
	}
	s.client = n.ClientOf(s.kubeconfig)
	e.Eventually("the apiserver", func(ctx context.Context) error { return cluster.Readyz(ctx, s.client) })
	e.Eventually("the default service account", func(ctx context.Context) error { return cluster.DefaultServiceAccount(ctx, s.client) })
	if who == stock {
		s.apply("../../../pkg/bootstrap/kubelet-rbac.yaml") // which the lab has one do
	}

	for i := range workers {
		w := worker.Start(network, worker.Spec{Index: i, Server: server, Files: files, Conformance: true})
		s.awaitNode(w.Name())
	}
	e.Must(os.WriteFile(e.Path("coredns.yaml"), worker.CoreDNSManifest, 0o600))
	s.apply(e.Path("coredns.yaml"))
	s.do("--namespace", "kube-system", "rollout", "status", "deployment", "coredns", "--timeout", "2m")
	return s
}

// startStock starts what the lab has one start.
func (s *site) startStock() {
	s.Helper()
	n := s.controller
	etcd := cluster.EtcdMember{Name: n.Name, Address: n.Address, DataDir: n.Etcd(), ClientPort: 2379, PeerPort: 2380}
	n.Host.Start("etcd", process.Spec{Path: s.StockBinary("etcd"), Args: cluster.EtcdArgs(n.Lab(""), etcd, []cluster.EtcdMember{etcd})})
	s.Must(os.Symlink(s.StockBinary("kubectl"), s.kubectl))
	start := func(c lab.Component, more ...string) {
		n.Host.Start(string(c), process.Spec{Path: s.StockBinary(string(c)), Args: append(n.StockArgs(c, etcd.ClientURL()), more...)})
	}
	var aggregation []string
	for _, arg := range s.aggregation {
		aggregation = append(aggregation, "--"+arg)
	}
	start(lab.APIServer, aggregation...)
	client := n.Client()
	s.Eventually("the apiserver", func(ctx context.Context) error { return cluster.Readyz(ctx, client) })
	start(lab.ControllerManager)
	start(lab.Scheduler)
}

// do runs kubectl where the user is.
func (s *site) do(args ...string) {
	s.Helper()
	args = append([]string{"--kubeconfig", s.kubeconfig, "--cache-dir", s.Path("kubectl-cache")}, args...)
	if out, err := s.user.Command(s.Context(), s.kubectl, args...).CombinedOutput(); err != nil {
		s.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func (s *site) apply(file string) {
	s.Helper()
	s.do("apply", "-f", file)
}

// awaitNode waits for a node to be ready.
func (s *site) awaitNode(name string) {
	s.Helper()
	s.Within(2*harness.Patience, "the node "+name+" to be ready", func(ctx context.Context) error {
		node, err := s.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %v", node.Status.Conditions)
	})
}

// suite is upstream's tests for it, run by the user.
func (s *site) suite() *suite {
	return &suite{Env: s.Env, start: s.user.Start, kubeconfig: s.kubeconfig, kubectl: s.kubectl, reports: reports(s.Env, s.subject)}
}

// reports is the directory of what was found out about a subject.
func reports(e *harness.Env, who subject) string {
	e.Helper()
	return filepath.Join(filepath.Dir(e.ConformanceProgram("e2e.test")), string(who))
}
