// SPDX-License-Identifier: Apache-2.0

package etcdsnapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// TestAnEtcdWithoutSpaceIsBroughtBack fills a small quota, and follows what status
// and verify say.
func TestAnEtcdWithoutSpaceIsBroughtBack(t *testing.T) {
	e := harness.New(t)
	c := controller{e.Controller("one", e.FreePorts())}
	c.Args = []string{"--etcd-arg", "quota-backend-bytes=16777216"}
	c.StartReady()
	maps := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault)
	write := func(name string) error {
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name}, BinaryData: map[string][]byte{"k": bytes.Repeat([]byte("x"), 500_000)},
		}, metav1.CreateOptions{})
		return err
	}
	n := 0
	for ; n < 100; n++ {
		if err := write(fmt.Sprintf("fill-%d", n)); err != nil {
			t.Logf("after %d objects: %v", n, err)
			break
		}
	}
	if n == 100 {
		t.Fatal("the quota does not hold")
	}

	const command = "khw-controller etcd defrag --clear-alarms"
	c.Eventually("status to name the way out", func(context.Context) error {
		out, _ := exec.CommandContext(c.Context(), c.Binary(), "status", "--root", c.Root).CombinedOutput()
		if !strings.Contains(string(out), "NOSPACE") || !strings.Contains(string(out), command) {
			return errors.New(string(out))
		}
		return nil
	})
	if out, _ := c.verify(); !strings.Contains(out, command) {
		t.Errorf("verify does not name the way out: %s", out)
	}

	out, err := c.etcd("defrag", "--dry-run")
	if err != nil || !strings.Contains(out, "are in use") || write("still-full") == nil {
		t.Errorf("a dry run says %q, %v, and changes something", out, err)
	}
	for i := range n {
		e.Must(maps.Delete(t.Context(), fmt.Sprintf("fill-%d", i), metav1.DeleteOptions{}))
	}
	out, err = c.etcd("defrag", "--clear-alarms")
	if err != nil || !strings.Contains(out, "etcd takes writes again") {
		t.Fatalf("%v: %s", err, out)
	}
	t.Log(out)
	e.Must(write("after"))
	if out, err = c.etcd("defrag", "--clear-alarms"); err != nil || strings.Contains(out, "cleared") {
		t.Errorf("without an alarm: %v: %s", err, out)
	}
	c.Eventually("status to be content", func(context.Context) error {
		out, err := exec.CommandContext(c.Context(), c.Binary(), "status", "--root", c.Root).CombinedOutput()
		if err != nil || strings.Contains(string(out), "NOSPACE") {
			return errors.New(string(out))
		}
		return nil
	})
	c.StopInOrder()
}

func (c controller) verify() (string, error) {
	out, err := exec.CommandContext(c.Context(), c.Binary(), append([]string{"verify"}, c.RunArgs()...)...).CombinedOutput()
	return string(out), err
}
