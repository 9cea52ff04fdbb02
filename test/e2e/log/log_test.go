// SPDX-License-Identifier: Apache-2.0

// Package log reads what two controllers on etcd members of their own log: in
// starts and orderly stops that go well, and while etcd has no quorum.
package log

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

const (
	// story is how many lines a start and an orderly stop may take.
	story = 60
	// outage is how long etcd has no quorum. It is what is measured, not waited for.
	outage = 30 * time.Second
	// lines of the log are what an outage of that length may take: stock's code
	// writes hundreds a second.
	lines = 150
)

func TestTheLogIsAStory(t *testing.T) {
	e := harness.New(t)
	first, second, etcd := e.Pair(3)
	second.Args = []string{"--logging-format", "json"}
	first.StartReady()
	works(first, "one")
	second.StartReady()
	for _, lease := range cluster.Leases() {
		second.AwaitStatus(lease + " standby ")
	}
	second.StopInOrder()
	second.LogIsQuiet(story)

	before := len(first.Process.Lines())
	for _, p := range etcd.Processes[1:] {
		e.Must(p.Signal(syscall.SIGSTOP))
	}
	stopped := time.After(outage)
	first.AwaitStatus("load balancers send nobody here")
	<-stopped
	logged := len(first.Process.Lines()) - before
	t.Logf("%d lines in %s without a quorum", logged, outage)
	if logged > lines {
		t.Errorf("%d lines in %s without a quorum, want at most %d:\n%s", logged, outage, lines, first.Process.Tail(logged))
	}
	for _, p := range etcd.Processes[1:] {
		e.Must(p.Signal(syscall.SIGCONT))
	}
	first.AwaitStatus("ready: ")
	first.StopInOrder()
	for _, l := range first.Process.Lines() {
		if strings.HasPrefix(l, "{") {
			t.Errorf("etcd's client logs by itself: %s", l)
		}
	}
	if all := strings.Join(first.Process.Lines(), "\n"); !strings.Contains(all, " more like it in ") {
		t.Errorf("no line that was repeated is counted:\n%s", all)
	}

	first.StartReady()
	works(first, "two")
	first.StopInOrder()
	first.LogIsQuiet(story)
	everyLineIsJSON(second)
}

// works waits until a controller-manager that leads has its caches filled: what
// nobody owns is collected then, and never before.
func works(c *harness.Controller, name string) {
	c.Helper()
	c.AwaitStatus("kube-controller-manager leading, kube-scheduler leading")
	maps := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault)
	_, err := maps.Create(c.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: name, OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: types.UID(name)}},
	}}, metav1.CreateOptions{})
	c.Must(err)
	c.Eventually("what nobody owns to be collected", func(ctx context.Context) error {
		_, err := maps.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return cmp.Or(err, errors.New("it is still there"))
	})
}

func everyLineIsJSON(c *harness.Controller) {
	c.Helper()
	for _, l := range c.Process.Lines() {
		if !json.Valid([]byte(l)) {
			c.Errorf("with --logging-format json it logs: %s", l)
		}
	}
}
