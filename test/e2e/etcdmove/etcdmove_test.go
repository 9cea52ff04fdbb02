// SPDX-License-Identifier: Apache-2.0

// Package etcdmove moves a control plane from an external etcd to the embedded one
// and back, as docs/etcd.md says, and takes care of the external one in between.
package etcdmove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// controller is one whose etcd moves.
type controller struct {
	*harness.Controller
	// version is the highest resourceVersion that anybody has seen.
	version int64
	// objects are those that were made, by their names.
	objects map[string]string
}

// try runs a command of `khw-controller etcd` and returns both its outputs.
func (c *controller) try(args ...string) (string, error) {
	out, err := exec.CommandContext(c.Context(), c.Binary(), slices.Concat([]string{"etcd"}, args, c.RunArgs())...).CombinedOutput()
	return string(out), err
}

// do runs one that has to succeed.
func (c *controller) do(args ...string) string {
	c.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.Fatalf("%v: %v: %s", args, err, out)
	}
	return out
}

// write makes n objects, and remembers them.
func (c *controller) write(where string, n int) {
	c.Helper()
	secrets := c.Client().CoreV1().Secrets(metav1.NamespaceDefault)
	for i := range n {
		name := fmt.Sprintf("%s-%d", where, i)
		made, err := secrets.Create(c.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"k": name}}, metav1.CreateOptions{})
		c.Must(err)
		c.objects[name] = string(made.UID)
		c.isLater("the version of "+name, made.ResourceVersion)
	}
}

// isLater wants a version above all that were seen before.
func (c *controller) isLater(what, version string) {
	c.Helper()
	v, err := strconv.ParseInt(version, 10, 64)
	c.Must(err)
	if v <= c.version {
		c.Errorf("%s is %d, and %d was seen before", what, v, c.version)
	}
	c.version = max(c.version, v)
}

// isThere wants every object to be there as it was, and returns the list's version.
func (c *controller) isThere() string {
	c.Helper()
	secrets := c.Client().CoreV1().Secrets(metav1.NamespaceDefault)
	found, err := secrets.List(c.Context(), metav1.ListOptions{})
	c.Must(err)
	there := map[string]string{}
	for _, s := range found.Items {
		if string(s.Data["k"]) == s.Name {
			there[s.Name] = string(s.UID)
		}
	}
	for name, uid := range c.objects {
		if there[name] != uid {
			c.Errorf("%s is %q, and was %q", name, there[name], uid)
		}
	}
	return found.ResourceVersion
}

// hasMoved wants every object, at a later version than any before; and whoever has
// watched since before to be told to list again.
func (c *controller) hasMoved() {
	c.Helper()
	before := strconv.FormatInt(c.version, 10)
	c.isLater("the version of the list", c.isThere())
	watch, err := c.Client().CoreV1().Secrets(metav1.NamespaceDefault).Watch(c.Context(), metav1.ListOptions{ResourceVersion: before})
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	c.Must(err)
	defer watch.Stop()
	select {
	case e := <-watch.ResultChan():
		if err := apierrors.FromObject(e.Object); !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			c.Errorf("a watcher from before gets %v", e)
		}
	case <-time.After(harness.Patience):
		c.Error("a watcher from before is told nothing")
	}
}

// save saves a snapshot and returns its file.
func (c *controller) save() string {
	c.Helper()
	var saved struct{ Path string }
	c.Must(json.Unmarshal([]byte(c.do("snapshot", "save", "-o", "json")), &saved))
	return saved.Path
}

func TestAnExternalEtcdIsMovedInAndOut(t *testing.T) {
	e := harness.New(t)
	c := &controller{Controller: e.Controller("moved", e.FreePorts()), objects: map[string]string{}}
	c.PrepareAsInTheLab()
	external := e.StartEtcd(c.Lab(""), 1)
	c.Args = []string{"--snapshot-interval", "0"}
	embedded := filepath.Join(c.Root, "var/lib/etcd")

	// Outside, and cared for from here.
	c.EtcdServers = external.URLs()
	c.StartReady()
	c.write("outside", 20)
	isCaredFor(c, external)
	c.StopInOrder()
	in := c.save()

	c.EtcdServers = nil
	c.do("snapshot", "restore", in)
	mustStop(e, external.Processes[0])
	c.StartReady()
	c.hasMoved()
	c.write("inside", 20)
	if tree := e.Tree(embedded); len(tree) == 0 {
		t.Error("there are no data of an embedded etcd")
	}

	// And out again, into a new member.
	out := c.save()
	c.StopInOrder()
	c.EtcdServers = external.URLs()
	if said, err := c.try("snapshot", "restore", out); err == nil || !strings.Contains(said, "--data-dir") || strings.Count(said, "\n") != 1 {
		t.Errorf("without --data-dir: %v, %q", err, said)
	}
	m := external.Members[0]
	restore := []string{"snapshot", "restore", out, "--data-dir", m.DataDir, "--name", m.Name, "--initial-advertise-peer-urls", m.PeerURL()}
	if said, err := c.try(restore...); err == nil || !strings.Contains(said, "is not empty") {
		t.Errorf("over the data of before: %v, %q", err, said)
	}
	e.Must(os.Rename(m.DataDir, m.DataDir+".old"))
	c.do(restore...)
	external.Start(0)
	e.Must(os.RemoveAll(embedded))
	c.StartReady()
	c.hasMoved()
	c.write("outside-again", 20)
	c.isThere()
	if tree := e.Tree(embedded); len(tree) > 0 {
		t.Errorf("an embedded etcd has left %v", tree)
	}
	c.StopInOrder()
}

// isCaredFor grows an external etcd by a member and takes it away again, with
// nothing but this binary.
func isCaredFor(c *controller, external *harness.Etcd) {
	c.Helper()
	ports, err := process.FreePorts(2)
	c.Must(err)
	m := cluster.EtcdMember{Name: "etcd-1", DataDir: c.Path("etcd-1"), ClientPort: ports[0], PeerPort: ports[1]}
	if said, err := c.try("member", "add", m.Name); err == nil || !strings.Contains(said, "--peer-urls") {
		c.Errorf("without --peer-urls: %v, %q", err, said)
	}
	var said string
	for range 2 { // the second time as after a try that was cut off
		said = c.do("member", "add", m.Name, "--peer-urls", m.PeerURL())
	}
	if want := "--initial-cluster " + external.Members[0].Name + "=" + external.Members[0].PeerURL() + "," + m.Name + "=" + m.PeerURL(); !strings.Contains(said, want) {
		c.Errorf("it says %q, not %q", said, want)
	}
	args := cluster.EtcdArgs(external.Dir, m, append(slices.Clone(external.Members), m))
	for i, a := range args {
		if a == "--initial-cluster-state=new" {
			args[i] = "--initial-cluster-state=existing"
		}
	}
	added := c.Env.Start(m.Name, process.Spec{Path: c.StockBinary("etcd"), Args: args})
	c.Eventually("the member to vote", func(context.Context) error {
		if out, err := c.try("member", "promote", m.Name); err != nil || !strings.Contains(out, " votes") {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if got := c.do("member", "promote", m.Name); got != m.Name+" votes already\n" {
		c.Errorf("promoted again: %q", got)
	}
	c.Eventually("both to be well", func(context.Context) error {
		out, err := c.try("endpoint", "status")
		if err != nil || !strings.Contains(out, m.ClientURL()) || !strings.Contains(out, "leader") || !strings.Contains(out, "follower") {
			return errors.Join(err, errors.New(out))
		}
		return nil
	})
	if got := c.do("move-leader", m.Name); got != m.Name+" leads, before "+external.Members[0].Name+" did\n" {
		c.Errorf("moved: %q", got)
	}
	if got := c.do("defrag"); strings.Index(got, external.Members[0].Name) > strings.Index(got, m.Name) {
		c.Errorf("the leader was defragmented first: %q", got)
	}
	c.do("move-leader", external.Members[0].Name)
	c.Eventually("it to be removed", func(context.Context) error {
		out, err := c.try("member", "remove", m.Name)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	mustStop(c.Env, added)
	if got := c.do("member", "list"); strings.Contains(got, m.Name) {
		c.Errorf("it is still listed: %s", got)
	}
}

// mustStop stops an etcd and does not care how it ends.
func mustStop(e *harness.Env, p *process.Process) {
	e.Helper()
	_, err := p.Stop(harness.Patience)
	e.Must(err)
}
