// SPDX-License-Identifier: Apache-2.0

// Package encryption replaces the encryption key below stored secrets: what cannot
// be read is found before anything is served.
package encryption

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

const (
	one = "b25lb25lb25lb25lb25lb25lb25lb25lb25lb25lb24="
	two = "dHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHc="
)

// keys writes the lab's encryption configuration with these keys, name=secret, and
// with identity at its end or not.
func keys(c *harness.Controller, identity bool, pairs ...string) {
	c.Helper()
	text := "kind: EncryptionConfig\napiVersion: v1\nresources:\n  - resources: [secrets]\n    providers:\n      - aescbc:\n          keys:\n"
	for _, pair := range pairs {
		name, secret, _ := strings.Cut(pair, "=")
		text += fmt.Sprintf("            - {name: %s, secret: %q}\n", name, secret)
	}
	if identity {
		text += "      - identity: {}\n"
	}
	c.Must(os.WriteFile(c.Lab("encryption-config.yaml"), []byte(text), 0o600))
}

// refused wants check to say so, and run to end with that before it serves.
func refused(c *harness.Controller, says string) {
	c.Helper()
	findings, code := c.CheckJSON()
	if code != 1 || len(findings) != 1 || !strings.Contains(findings[0].Problem, says) {
		c.Errorf("check exits with %d and finds %+v, want %q", code, findings, says)
	}
	c.Start()
	select {
	case <-c.Process.Exited():
	case <-time.After(harness.Patience):
		c.Fatalf("run goes on; check found %+v", findings)
	}
	if last := c.Process.Tail(1); c.Process.ExitCode() != 1 || !strings.Contains(last, says) || !strings.Contains(last, c.Lab("encryption-config.yaml")) {
		c.Errorf("run ends with %d: %s", c.Process.ExitCode(), last)
	}
	if log := strings.Join(c.Process.Lines(), "\n"); strings.Contains(log, `"Component is starting"`) {
		c.Errorf("something was started:\n%s", log)
	}
}

// write makes a secret, and wants it encrypted with a key.
func write(c *harness.Controller, name string) {
	c.Helper()
	_, err := c.Client().CoreV1().Secrets("default").Create(c.Context(), &v1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	c.Must(err)
}

func TestTheKeyIsReplaced(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	keys(c, true, "key1="+one)
	c.StartReady()
	write(c, "first")
	c.StopInOrder()

	keys(c, true, "key1="+two)
	refused(c, "stored secrets such as default/first, which are encrypted with the key key1 of aescbc: the key of that name has another secret here")
	keys(c, true, "key2="+two)
	refused(c, "the key key1 of aescbc, which is not there")
	if finding := givenUp(c); !strings.Contains(finding, "default/first") || !strings.Contains(finding, "encryption-provider-config") {
		t.Errorf("without the configuration, check finds %s", finding)
	}

	keys(c, true, "key2="+two, "key1="+one)
	c.StartReady()
	write(c, "second")

	// A key that is lost while it runs is found by check and status before the next start.
	keys(c, true, "key1="+one)
	out, code := c.Check()
	if code != 1 || !strings.Contains(out, "the key key2 of aescbc, which is not there") {
		t.Errorf("on a running controller, check exits with %d: %s", code, out)
	}
	c.StopInOrder()
	refused(c, "the key key2 of aescbc, which is not there")
}

// givenUp is what check finds when the configuration is given up.
func givenUp(c *harness.Controller) string {
	c.Helper()
	out, code := c.Check("--kube-apiserver-arg", "encryption-provider-config-")
	if code != 1 {
		c.Errorf("check exits with %d", code)
	}
	return out
}

// TestControllersWithDifferentKeys has two controllers on one etcd, with a key of
// the same name and another secret.
func TestControllersWithDifferentKeys(t *testing.T) {
	e := harness.New(t)
	a, b := e.Controller("a", e.FreePorts()), e.Controller("b", e.FreePorts())
	a.GeneratePKI()
	b.CopyPKI(a)
	keys(a, true, "key1="+one)
	keys(b, false, "key1="+two)
	etcd := e.StartEtcd(a.Lab(""), 1)
	a.EtcdServers, b.EtcdServers = etcd.URLs(), etcd.URLs()
	a.StartReady()
	write(a, "first")
	refused(b, "the key of that name has another secret here")
	keys(b, false, "key1="+one)
	b.StartReady()
	b.StopInOrder()

	// What was there before it was encrypted is read with identity.
	_, err := etcd.Client().Put(t.Context(), "/registry/secrets/default/plain", `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"plain","namespace":"default"}}`)
	e.Must(err)
	refused(b, "default/plain, which are not encrypted, and there is no identity provider for them")

	// A controller that starts while another's key differs says so in its status.
	keys(a, true, "key1="+two)
	a.StopInOrder()
	keys(a, true, "key1="+one)
	a.StartReady()
	keys(a, true, "key2="+two)
	a.Eventually("check to tell it", func(context.Context) error {
		if out, code := a.Check(); code != 1 || !regexp.MustCompile(`default/first`).MatchString(out) {
			return fmt.Errorf("exit code %d: %s", code, out)
		}
		return nil
	})
}

// TestAKMSPluginThatIsNotThere is a warning: the apiserver starts without it.
func TestAKMSPluginThatIsNotThere(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	socket := filepath.Join(e.Dir, "kms.sock")
	c.Must(os.WriteFile(c.Lab("encryption-config.yaml"), []byte("kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n"+
		"  - resources: [secrets]\n    providers: [{kms: {apiVersion: v2, name: vault, endpoint: 'unix://"+socket+"'}}, {identity: {}}]\n"), 0o600))
	out, err := exec.CommandContext(c.Context(), c.Binary(), append([]string{"check"}, c.RunArgs()...)...).Output()
	if err != nil || !strings.Contains(string(out), "the KMS plugin vault has the socket "+socket+", which is not there") {
		t.Errorf("check says %s, %v", out, err)
	}
}
