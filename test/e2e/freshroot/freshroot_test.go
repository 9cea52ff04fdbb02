// SPDX-License-Identifier: Apache-2.0

// Package freshroot starts `khw-controller run` on an empty root and goes
// through the lab's own verification, an orderly stop and a second start.
package freshroot

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// stopsWithin is what "in seconds" means for an orderly stop.
const stopsWithin = 10 * time.Second

// story is how many lines the log of a start, the verification and a stop may have.
const story = 60

func TestFreshRoot(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.DefaultPorts())
	c.StartReady()
	readyMeansUp(c)
	etcdIsWithinTheProcess(c)
	filesAreMade(c)
	labVerification(c)
	before := remember(c)

	began := time.Now()
	c.StopInOrder()
	if took := time.Since(began); took > stopsWithin {
		t.Errorf("SIGTERM to exit took %s, want at most %s", took, stopsWithin)
	}
	if _, ok := c.Notify.First("STOPPING", func(v string) bool { return v == "1" }); !ok {
		t.Error("no STOPPING=1 was sent")
	}
	leasesAreReleased(c)
	c.LogIsQuiet(story)

	c.StartReady()
	before.mustBeThere(c)
	c.StopInOrder()
}

// readyMeansUp looks once, right after READY=1: nothing is waited for.
func readyMeansUp(c *harness.Controller) {
	c.Helper()
	if err := cluster.Readyz(c.Context(), c.Client()); err != nil {
		c.Errorf("READY=1 came before /readyz was ok: %v", err)
	}
	if err := cluster.BothHeld(c.Context(), c.Client()); err != nil {
		c.Errorf("READY=1 came before the components led or stood by: %v", err)
	}
	ready, _ := c.Notify.First("READY", func(string) bool { return true })
	status, ok := c.Notify.First("STATUS", func(string) bool { return true })
	if !ok || !status.Time.Before(ready.Time) {
		c.Error("no STATUS was sent before READY=1")
	}
}

// etcdIsWithinTheProcess wants fewer sockets than the resources are that the
// apiserver stores, each with a client of etcd of its own.
func etcdIsWithinTheProcess(c *harness.Controller) {
	c.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.Process.PID()))
	c.Must(err)
	sockets := 0
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:") {
			sockets++
		}
	}
	if sockets == 0 || sockets > 60 {
		c.Errorf("it has %d sockets, want at most 60", sockets)
	}
}

// filesAreMade wants every file of lab chapters 04 to 06, the secret ones for
// their owner only.
func filesAreMade(c *harness.Controller) {
	c.Helper()
	public := map[string]bool{"ca.pem": true, "kubernetes.pem": true, "service-account.pem": true}
	for _, name := range []string{
		"ca.pem", "ca-key.pem", "kubernetes.pem", "kubernetes-key.pem", "service-account.pem", "service-account-key.pem",
		"encryption-config.yaml", "kube-controller-manager.kubeconfig", "kube-scheduler.kubeconfig", "admin.kubeconfig",
	} {
		info, err := os.Stat(c.Lab(name))
		if err != nil {
			c.Error(err)
			continue
		}
		want := os.FileMode(0o600)
		if public[name] {
			want = 0o644
		}
		if info.Mode() != want {
			c.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
	kubeconfig := c.Lab("admin.kubeconfig")
	if !slices.ContainsFunc(c.Process.Lines(), func(l string) bool { return strings.Contains(l, kubeconfig) }) {
		c.Errorf("the log does not say where the admin's kubeconfig is: %s", kubeconfig)
	}
}

// leasesAreReleased reads what the stop has left in etcd, with a stock etcd on
// the same data.
func leasesAreReleased(c *harness.Controller) {
	c.Helper()
	copied := c.Path("data-after-stop")
	c.Must(os.CopyFS(copied, os.DirFS(filepath.Join(c.Root, "var/lib/etcd"))))
	ports := c.FreePorts()
	m := cluster.EtcdMember{Name: "reader", DataDir: copied, ClientPort: ports.EtcdClient, PeerPort: ports.EtcdPeer}
	p := c.Env.Start("reader", process.Spec{
		Path: c.StockBinary("etcd"), Args: cluster.EtcdArgs(c.Lab(""), m, []cluster.EtcdMember{m}),
	})
	client := c.EtcdClient(c.Lab(""), m.ClientURL())
	for _, name := range cluster.Leases() {
		holder := ""
		c.WithinAlive(p, harness.Patience, "the stored lease "+name, func(ctx context.Context) (err error) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			holder, err = cluster.StoredHolder(ctx, client, name)
			return err
		})
		if holder != "" {
			c.Errorf("after an orderly stop the lease %s is still held, by %s", name, holder)
		}
	}
	p.Kill()
}

// memory is what a restart must find again.
type memory struct {
	files map[string]string
	uids  map[string]string
}

func remember(c *harness.Controller) memory {
	c.Helper()
	files := c.Tree(c.Lab(""))
	delete(files, "khw-controller.lock") // says which process runs, and since when
	return memory{files: files, uids: uids(c)}
}

func (m memory) mustBeThere(c *harness.Controller) {
	c.Helper()
	now := remember(c)
	if !maps.Equal(m.files, now.files) {
		c.Errorf("the restart changed the lab's files:\nbefore %v\nafter  %v", m.files, now.files)
	}
	for name, uid := range m.uids {
		if now.uids[name] != uid {
			c.Errorf("after the restart %s has UID %q, want %q", name, now.uids[name], uid)
		}
	}
	if got := secretValue(c); got != secretText {
		c.Errorf("after the restart the secret reads %q, want %q", got, secretText)
	}
}

// uids returns the UID of each object that should outlive a restart.
func uids(c *harness.Controller) map[string]string {
	c.Helper()
	all := map[string]string{}
	add := func(kind string, m metav1.ObjectMeta) { all[fmt.Sprintf("%s %s", kind, m.Name)] = string(m.UID) }
	pods, err := c.Client().CoreV1().Pods(metav1.NamespaceDefault).List(c.Context(), metav1.ListOptions{})
	c.Must(err)
	for _, p := range pods.Items {
		add("pod", p.ObjectMeta)
	}
	secrets, err := c.Client().CoreV1().Secrets(metav1.NamespaceDefault).List(c.Context(), metav1.ListOptions{})
	c.Must(err)
	for _, s := range secrets.Items {
		add("secret", s.ObjectMeta)
	}
	namespaces, err := c.Client().CoreV1().Namespaces().List(c.Context(), metav1.ListOptions{})
	c.Must(err)
	for _, n := range namespaces.Items {
		add("namespace", n.ObjectMeta)
	}
	if len(pods.Items) == 0 || len(secrets.Items) == 0 {
		c.Fatal("nothing is there to remember")
	}
	return all
}
