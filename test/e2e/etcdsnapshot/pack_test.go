// SPDX-License-Identifier: Apache-2.0

package etcdsnapshot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// TestALostMachineIsBackFromOneFile has nothing left of a controller but what
// save --with-pki has made.
func TestALostMachineIsBackFromOneFile(t *testing.T) {
	e := harness.New(t)
	lost := controller{e.Controller("lost", e.FreePorts())}
	lost.Args = []string{"--snapshot-interval", "0"}
	lost.StartReady()
	_, err := lost.Client().CoreV1().Secrets(metav1.NamespaceDefault).Create(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, StringData: map[string]string{"k": "v"}}, metav1.CreateOptions{})
	e.Must(err)
	right, wrong := e.Path("passphrase"), e.Path("another")
	e.Must(os.WriteFile(right, []byte("correct horse\n"), 0o600))
	e.Must(os.WriteFile(wrong, []byte("battery staple\n"), 0o600))
	if out, err := lost.etcd("snapshot", "save", "--with-pki"); err == nil || !strings.Contains(out, "nobody is here to be asked for a passphrase") {
		t.Errorf("without a passphrase: %v, %q", err, out)
	}
	if files := lost.files(); len(files) > 0 {
		t.Errorf("a refused save has left %v", files)
	}
	out, err := lost.etcd("snapshot", "save", "--with-pki", "--passphrase-file", right, "--dir", e.Path("by-hand"))
	if err != nil || !strings.Contains(out, "/var/lib/kubernetes/encryption-config.yaml") {
		t.Fatalf("%v: %s", err, out)
	}
	lost.StopInOrder()
	ca, err := os.ReadFile(lost.Lab("ca.pem"))
	e.Must(err)
	e.Must(os.RemoveAll(lost.Root))
	packs, err := filepath.Glob(e.Path("by-hand", "*"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}

	found := controller{e.Controller("found", lost.Ports)}
	found.Args = lost.Args
	data, err := os.ReadFile(packs[0])
	e.Must(err)
	e.Must(os.WriteFile(e.Path("truncated.tar.age"), data[:len(data)/2], 0o600))
	found.refuses("does not open it", "snapshot", "restore", packs[0], "--passphrase-file", wrong)
	found.refuses("a part of it is missing", "snapshot", "restore", e.Path("truncated.tar.age"), "--passphrase-file", right)
	if tree := e.Tree(filepath.Join(found.Root, "var/lib/kubernetes")); len(tree) > 0 {
		t.Errorf("refused restores have left %v", tree)
	}
	if out, err := found.etcd("snapshot", "status", packs[0], "--passphrase-file", right); err != nil || !strings.Contains(out, "With it: ") {
		t.Errorf("its status: %v, %s", err, out)
	}
	if out, err := found.etcd("snapshot", "restore", packs[0], "--passphrase-file", right); err != nil || strings.Contains(out, "correct horse") {
		t.Fatalf("%v: %s", err, out)
	}
	if got, err := os.ReadFile(found.Lab("ca.pem")); err != nil || string(got) != string(ca) {
		t.Errorf("the CA is another one, %v", err)
	}
	found.StartReady()
	secret, err := found.Client().CoreV1().Secrets(metav1.NamespaceDefault).Get(t.Context(), "kept", metav1.GetOptions{})
	e.Must(err)
	if string(secret.Data["k"]) != "v" {
		t.Errorf("the secret is %v", secret.Data)
	}
	found.StopInOrder()
}
