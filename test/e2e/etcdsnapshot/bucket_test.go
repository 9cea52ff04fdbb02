// SPDX-License-Identifier: Apache-2.0

package etcdsnapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// TestSnapshotsAreCopiedIntoABucket has them copied to a store that is not there at
// first, damages one there, and restores another from there.
func TestSnapshotsAreCopiedIntoABucket(t *testing.T) {
	e := harness.New(t)
	s := newStore(e)
	c := controller{e.Controller("one", e.FreePorts())}
	c.Args = []string{"--snapshot-interval", "2s", "--snapshot-keep", "2", "--snapshot-s3-bucket", "backups", "--snapshot-s3-prefix", "/clusters/blue/",
		"--snapshot-s3-endpoint", s.url(), "--snapshot-s3-ca-file", c.Lab("ca.pem")}
	c.StartReady()
	_, err := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	e.Must(err)
	c.tellsOfFailure(s.url() + " refuses the connection: nobody listens there")
	c.refuses("is saved, and not copied to the bucket: putting s3://backups/clusters/blue/", "snapshot", "save")

	s.start(c.Lab("kubernetes.pem"), c.Lab("kubernetes-key.pem"))
	e.Eventually("two copies", func(context.Context) error {
		if found := s.objects(); len(found) != 2 {
			return fmt.Errorf("there are %v", found)
		}
		return nil
	})
	e.Eventually("status to tell of it", func(context.Context) error {
		if out, _ := exec.CommandContext(c.Context(), c.Binary(), "status", "--root", c.Root).CombinedOutput(); !strings.Contains(string(out), "copied to the bucket") {
			return errors.New(string(out))
		}
		return nil
	})
	c.StopInOrder()

	c.asksAStoreThatRefuses()
	c.Args = append(c.Args, "--snapshot-s3-prefix", "by-hand")
	c.Start()
	c.AwaitReady()
	out, err := c.etcd("snapshot", "save")
	c.StopInOrder()
	if err != nil || !strings.Contains(out, "copied to s3://backups/by-hand/") {
		t.Fatalf("a save by hand: %v, %s", err, out)
	}
	// Damaged there, and whole again.
	newest := c.inBucket()[0]
	object := filepath.Join(s.dir, strings.TrimPrefix(newest, "s3://"))
	data, err := os.ReadFile(object)
	e.Must(err)
	e.Must(os.Truncate(object, int64(len(data)/2)))
	e.Must(os.RemoveAll(c.dir()))
	c.refuses("it is damaged there", "snapshot", "restore", newest)
	c.refuses("x is not there", "snapshot", "restore", newest+"x")
	// Put there by others, without a checksum of the store's.
	const name = "etcd-20250102T030405Z-r1.db"
	other, byOther := filepath.Join(filepath.Dir(object), name), newest[:strings.LastIndex(newest, "/")+1]+name
	e.Must(os.WriteFile(other, data[:len(data)/2], 0o600))
	c.refuses("a part of it is missing", "snapshot", "restore", byOther)
	e.Must(os.WriteFile(other, []byte("another's"), 0o600))
	c.refuses("is not a snapshot of etcd", "snapshot", "status", byOther)
	if tree := e.Tree(c.dir()); len(tree) > 0 {
		t.Errorf("refused restores have left %v", tree)
	}
	e.Must(os.WriteFile(object, data, 0o600))
	if out, err := c.etcd("snapshot", "status", newest); err != nil || !strings.Contains(out, newest) {
		t.Errorf("its status: %v, %s", err, out)
	}
	e.Must(os.RemoveAll(c.saved()))
	if out, err := c.etcd("snapshot", "restore", newest); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left := c.files(); len(left) > 0 {
		t.Errorf("a restore from the bucket has left %v", left)
	}
	if out, err := c.etcd("snapshot", "prune", "--keep", "1"); err != nil || len(c.inBucket()) != 1 {
		t.Errorf("a prune to one leaves %v: %v, %s", c.inBucket(), err, out)
	}
	c.StartReady()
	_, err = c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault).Get(t.Context(), "kept", metav1.GetOptions{})
	e.Must(err)
	c.StopInOrder()
}

// tellsOfFailure wants to be told that a copy has failed: by an event, a metric
// and status.
func (c controller) tellsOfFailure(why string) {
	c.Helper()
	c.Eventually("to be told why there is no copy", func(ctx context.Context) error {
		events, err := c.Client().CoreV1().Events(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{FieldSelector: "reason=SnapshotNotCopied"})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return strings.Contains(e.Message, why) }) {
			return fmt.Errorf("the events are %v", events.Items)
		}
		pages, err := cluster.MetricsPages(ctx, c.Lab("admin.kubeconfig"), c.Ports)
		if err != nil {
			return err
		}
		if f := pages[lab.APIServer]["khw_snapshot_copy_failures_total"]; f == nil || f.Metric[0].GetCounter().GetValue() == 0 {
			return fmt.Errorf("the metric is %v", f)
		}
		out, _ := exec.CommandContext(ctx, c.Binary(), "status", "--root", c.Root).CombinedOutput()
		if !strings.Contains(string(out), why) {
			return errors.New(string(out))
		}
		return nil
	})
}

// asksAStoreThatRefuses wants one line for each way in which it does.
func (c controller) asksAStoreThatRefuses() {
	c.Helper()
	for _, test := range []struct {
		args, env []string
		says      string
	}{
		{[]string{"--snapshot-s3-bucket", "nowhere"}, nil, "there is no bucket nowhere"},
		{nil, []string{"AWS_SECRET_ACCESS_KEY=another"}, "the store does not accept the credentials"},
		{nil, []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="}, "no credentials for the bucket backups"},
		{[]string{"--snapshot-s3-ca-file", ""}, nil, "has a certificate of another CA"},
		{[]string{"--snapshot-s3-ca-file", c.Lab("nowhere.pem")}, nil, "--snapshot-s3-ca-file: open " + c.Lab("nowhere.pem")},
		{[]string{"--snapshot-s3-region", "eu-north-1"}, nil, "correct --snapshot-s3-region"},
		{[]string{"--snapshot-s3-endpoint", "127.0.0.1:9000"}, nil, "is no URL"},
	} {
		cmd := exec.CommandContext(c.Context(), c.Binary(), slices.Concat([]string{"etcd", "snapshot", "list"}, c.RunArgs(), test.args)...)
		cmd.Env = append(os.Environ(), test.env...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), test.says) || strings.Count(stderr.String(), "\n") != 1 {
			c.Errorf("%v %v: got %v, %q, want one line with %q", test.args, test.env, err, stderr.String(), test.says)
		}
	}
}

// inBucket are the URLs of the snapshots in the bucket.
func (c controller) inBucket() []string {
	c.Helper()
	out, err := c.etcd("snapshot", "list", "-o", "json")
	c.Must(err)
	var files []struct{ Path, Node string }
	c.Must(json.Unmarshal([]byte(out), &files))
	var urls []string
	for _, f := range files {
		if f.Node != "" {
			urls = append(urls, f.Path)
		}
	}
	return urls
}
