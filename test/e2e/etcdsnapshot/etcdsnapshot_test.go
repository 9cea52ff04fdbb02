// SPDX-License-Identifier: Apache-2.0

// Package etcdsnapshot saves the snapshots of one controller, damages its data, and
// restores them.
package etcdsnapshot

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// controller is one with the commands of `khw-controller etcd`.
type controller struct{ *harness.Controller }

// etcd runs one and returns both its outputs.
func (c controller) etcd(args ...string) (string, error) {
	out, err := exec.CommandContext(c.Context(), c.Binary(), slices.Concat([]string{"etcd"}, args, c.RunArgs())...).CombinedOutput()
	return string(out), err
}

// refuses wants one to fail, and to say this in one line.
func (c controller) refuses(says string, args ...string) {
	c.Helper()
	out, err := c.etcd(args...)
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != 1 || !strings.Contains(out, says) || strings.Count(out, "\n") != 1 {
		c.Errorf("%v: got %v, %q, want exit code 1 and one line with %q", args, err, out, says)
	}
}

func (c controller) dir() string   { return filepath.Join(c.Root, "var/lib/etcd") }
func (c controller) saved() string { return filepath.Join(c.Root, "var/lib/khw-controller/snapshots") }

// files are the snapshots that are there.
func (c controller) files() []string {
	c.Helper()
	files, err := filepath.Glob(filepath.Join(c.saved(), "*"))
	c.Must(err)
	return files
}

func TestWhatIsDamagedIsRestored(t *testing.T) {
	e := harness.New(t)
	c := controller{e.Controller("one", e.FreePorts())}
	c.Args = []string{"--snapshot-interval", "2s", "--snapshot-keep", "3"}
	c.StartReady()
	secrets := c.Client().CoreV1().Secrets(metav1.NamespaceDefault)
	_, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, StringData: map[string]string{"k": "v"}}, metav1.CreateOptions{})
	e.Must(err)
	out, err := c.etcd("snapshot", "save", "--dir", e.Path("by-hand"))
	e.Must(err)
	if !strings.Contains(out, "Keep "+c.Lab("encryption-config.yaml")+" with it") {
		t.Errorf("a save says %q", out)
	}
	e.Eventually("the scheduled snapshots to be pruned", func(context.Context) error {
		if len(c.files()) < 3 {
			return errors.New("there are too few")
		}
		return nil
	})
	byHand, err := filepath.Glob(e.Path("by-hand", "*"))
	if err != nil || len(byHand) != 1 {
		t.Fatal(byHand, err)
	}
	c.refuses("khw-controller runs, process", "snapshot", "restore", byHand[0])
	c.StopInOrder()
	if n := len(c.files()); n != 3 {
		t.Errorf("%d scheduled snapshots are there, want 3", n)
	}
	c.refuses("is not empty", "snapshot", "restore", byHand[0])
	newest := slices.Max(c.files())

	db := filepath.Join(c.dir(), "member/snap/db")
	e.Must(os.Truncate(db, 40<<10))
	c.Start()
	<-c.Process.Exited()
	last := c.Process.Tail(1)
	for _, says := range []string{"etcd's data are damaged", db, "khw-controller etcd snapshot restore " + newest} {
		if code := c.Process.ExitCode(); code != 1 || !strings.Contains(last, says) {
			t.Errorf("exit code %d, and the last line %q does not say %q", code, last, says)
		}
	}

	e.Must(os.RemoveAll(c.dir()))
	data, err := os.ReadFile(byHand[0])
	e.Must(err)
	e.Must(os.WriteFile(e.Path("truncated.db"), data[:len(data)/2], 0o600))
	c.refuses("a part of it is missing", "snapshot", "restore", e.Path("truncated.db"))
	c.refuses("is not a snapshot of etcd", "snapshot", "restore", c.Lab("ca.pem"))
	if tree := e.Tree(c.dir()); len(tree) > 0 {
		t.Errorf("refused restores have left %v", tree)
	}
	_, err = c.etcd("snapshot", "restore", byHand[0])
	e.Must(err)
	c.StartReady()
	secret, err := c.Client().CoreV1().Secrets(metav1.NamespaceDefault).Get(t.Context(), "kept", metav1.GetOptions{})
	e.Must(err)
	if string(secret.Data["k"]) != "v" {
		t.Errorf("the secret is %v", secret.Data)
	}
	c.StopInOrder()
}
