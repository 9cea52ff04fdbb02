// SPDX-License-Identifier: Apache-2.0

// Package inprocess compares, by the audit log, what components ask the apiserver of
// their own process without a socket with what they ask it through a balancer.
package inprocess

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// ownSockets is how many connections a controller has to its own apiserver when its
// kubeconfigs point there: the apiserver's informers and what asks it whether it is
// ready, which share one, and the health proxy's.
const ownSockets = 2

func TestTheSameRequestsWithoutASocket(t *testing.T) {
	direct := start(t, nil)
	lb := &balancer{}
	balanced := start(t, lb)
	var without, with sets.Set[string]
	// What is asked once in a while may not have been asked yet.
	direct.WithinAlive(balanced.Process, harness.Patience, "the same requests of both", func(context.Context) error {
		without, with = requests(direct.Audit(direct.Root)), requests(balanced.Audit(balanced.Root))
		if !without.Equal(with) {
			return fmt.Errorf("without a socket only:\n%s\nover a socket only:\n%s", lines(without.Difference(with)), lines(with.Difference(without)))
		}
		return nil
	})
	for _, want := range []string{
		"system:kube-scheduler of system:kube-scheduler,system:authenticated from 127.0.0.1: watch pods",
		"system:kube-controller-manager of system:kube-controller-manager,system:authenticated from 127.0.0.1: watch pods",
		"system:serviceaccount:kube-system:root-ca-cert-publisher of system:serviceaccounts,system:serviceaccounts:kube-system,system:authenticated from 127.0.0.1: create configmaps",
	} {
		if !without.Has(want) {
			t.Errorf("nobody has asked: %s; there are\n%s", want, lines(without))
		}
	}
	if n := lb.connections.Load(); n == 0 {
		t.Error("kubeconfigs point to the balancer, and no connection came there")
	}
	direct.Eventually("no more connections to itself than there are to be", func(context.Context) error {
		n, err := connections(direct.Process.PID(), direct.Ports.APIServer)
		if err == nil && n > ownSockets {
			err = fmt.Errorf("there are %d", n)
		}
		return err
	})
	direct.StopInOrder()
	balanced.StopInOrder()
}

// TestPermissionsCountWithoutASocket takes the scheduler's away while it runs, by the
// annotation for good; its lease is another role's.
func TestPermissionsCountWithoutASocket(t *testing.T) {
	c := start(t, nil)
	bindings := c.Client().RbacV1().ClusterRoleBindings()
	const name = "system:kube-scheduler"
	was, err := bindings.Get(t.Context(), name, metav1.GetOptions{})
	c.Must(err)
	subjects := was.Subjects
	was.Annotations[rbacv1.AutoUpdateAnnotationKey], was.Subjects = "false", nil
	_, err = bindings.Update(t.Context(), was, metav1.UpdateOptions{})
	c.Must(err)
	c.Must(cluster.CreateNodes(t.Context(), c.Client(), 1))
	pods := c.Client().CoreV1().Pods(metav1.NamespaceDefault)
	_, err = pods.Create(t.Context(), cluster.Pod("pod"), metav1.CreateOptions{})
	c.Must(err)
	forbidden := func(e auditv1.Event) bool {
		return e.User.Username == name && e.ObjectRef != nil && e.ObjectRef.Subresource == "binding" && e.ResponseStatus != nil && e.ResponseStatus.Code == http.StatusForbidden
	}
	c.WithinAlive(c.Process, harness.Patience, "a binding to be forbidden", func(context.Context) error {
		if !slices.ContainsFunc(c.Audit(c.Root), forbidden) {
			return errors.New("none is")
		}
		return nil
	})
	was, err = bindings.Get(t.Context(), name, metav1.GetOptions{})
	c.Must(err)
	was.Subjects = subjects
	_, err = bindings.Update(t.Context(), was, metav1.UpdateOptions{})
	c.Must(err)
	c.Eventually("the pod to be bound", func(ctx context.Context) error {
		p, err := pods.Get(ctx, "pod", metav1.GetOptions{})
		if err == nil && p.Spec.NodeName == "" {
			err = errors.New("it is not")
		}
		return err
	})
	for _, e := range c.Audit(c.Root) {
		if e.User.Username == "system:kube-controller-manager" && e.ResponseStatus != nil && e.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("forbidden to somebody else: %s", cluster.Describe(e))
		}
	}
	c.StopInOrder()
}

// start starts a controller whose components reach the apiserver through lb; nil: at
// its own port.
func start(t *testing.T, lb *balancer) *harness.Controller {
	t.Helper()
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Args = []string{"--kube-apiserver-arg", e.AuditPolicy(cluster.AuditEverything)}
	c.GeneratePKI()
	if lb != nil {
		url := lb.listen(t, c.Ports.APIServer)
		for _, name := range []string{"kube-controller-manager.kubeconfig", "kube-scheduler.kubeconfig"} {
			config, err := clientcmd.LoadFromFile(c.Lab(name))
			e.Must(err)
			for _, cl := range config.Clusters {
				cl.Server = url
			}
			e.Must(clientcmd.WriteToFile(*config, c.Lab(name)))
		}
	}
	c.StartReady()
	c.AwaitStatus("kube-apiserver running, kube-controller-manager leading, kube-scheduler leading")
	return c
}

// requests are the kinds of requests of the controller-manager and the scheduler: who
// asks from where for what. Retries and lists that a watch replaces depend on time.
func requests(audit []auditv1.Event) sets.Set[string] {
	all := sets.New[string]()
	for _, e := range audit {
		user := e.User.Username
		if user != "system:kube-controller-manager" && user != "system:kube-scheduler" && !strings.HasPrefix(user, "system:serviceaccount:kube-system:") ||
			e.ObjectRef == nil || e.Verb == "list" || e.ResponseStatus == nil || e.ResponseStatus.Code >= 300 {
			continue
		}
		what := e.ObjectRef.Resource
		if e.ObjectRef.Subresource != "" {
			what += "/" + e.ObjectRef.Subresource
		}
		all.Insert(fmt.Sprintf("%s of %s from %s: %s %s", user, strings.Join(e.User.Groups, ","), strings.Join(e.SourceIPs, ","), e.Verb, what))
	}
	return all
}

func lines(s sets.Set[string]) string { return strings.Join(sets.List(s), "\n") }
