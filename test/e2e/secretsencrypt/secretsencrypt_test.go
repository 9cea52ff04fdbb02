// SPDX-License-Identifier: Apache-2.0

// Package secretsencrypt rotates the key of encryption-config.yaml on control planes
// that serve, with the command and the controllers killed in between.
package secretsencrypt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	kms "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/testing/v2"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// said are what rotate says, in its order, each a while before its next step is over:
// who kills it then finds it at work. After the last of them it reads etcd at once,
// and has the old key dropped, which takes the controller seconds.
var said = []string{"is added as second", "added as second on", "made first on", "rewritten"}

func TestRotationOnOneController(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.PrepareAsInTheLab()
	c.StartReady()
	s := startSecrets(e, c.Client())
	s.awaitMore(50)
	store := e.EtcdClient(c.Lab(""), fmt.Sprintf("https://127.0.0.1:%d", c.Ports.EtcdClient))
	mustBeStored(e, store, "k8s:enc:aescbc:v1:key1:")
	old := file(e, c.Lab("encryption-config.yaml"))
	e.Eventually("the controller to report", func(context.Context) error {
		out, err := command(c, "status")
		if err != nil {
			return errors.New(out)
		}
		return nil
	})

	if out, err := command(c, "rotate", "--dry-run"); err != nil || !strings.Contains(out, "secrets: aescbc key1, aescbc") && !strings.Contains(out, "now:         secrets: aescbc key1, identity") {
		t.Errorf("a dry run: %v: %s", err, out)
	}
	if got := file(e, c.Lab("encryption-config.yaml")); got != old {
		t.Error("a dry run has changed the configuration")
	}

	// The command dies at each step, and goes on when it is run again.
	for _, text := range said {
		dieWhenItSays(c, text)
	}
	out, err := command(c, "rotate")
	if err != nil || !strings.Contains(out, "goes on") || !strings.Contains(out, "done: all is stored with aescbc key-") {
		t.Fatalf("at the end: %v: %s", err, out)
	}
	s.mustAllBeThere(c.Client())
	mustBeStored(e, store, "k8s:enc:aescbc:v1:key-")
	if got := file(e, c.Lab("encryption-config.yaml")); strings.Contains(got, "key1") || strings.Contains(got, secretOf(old)) || !strings.Contains(got, "identity") {
		t.Error("the old key is in the file still, or identity is not")
	}
	kept, err := filepath.Glob(c.Lab("encryption-config.yaml.*"))
	e.Must(err)
	if len(kept) != 1 || !strings.Contains(file(e, kept[0]), secretOf(old)) {
		t.Errorf("kept beside are %v", kept)
	}
	isInForce(c)

	// What a start reads is the same.
	s.stop()
	c.StopInOrder()
	c.StartReady()
	s.mustAllBeThere(c.Client())
	s.goOn(c.Client())

	socket := e.Path("kms.sock")
	kms.NewBase64Plugin(t, socket)
	for _, move := range []struct {
		args   []string
		header string
	}{
		{[]string{"--provider", "secretbox"}, "k8s:enc:secretbox:v1:key-"},
		{[]string{"--provider", "kms", "--kms-name", "vault", "--kms-endpoint", "unix://" + socket}, "k8s:enc:kms:v2:vault:"},
		{[]string{"--provider", "identity"}, "k8s\x00"},
		{[]string{"--provider", "aescbc"}, "k8s:enc:aescbc:v1:key-"},
	} {
		if out, err := command(c, append([]string{"rotate"}, move.args...)...); err != nil {
			t.Fatalf("%v: %v: %s", move.args, err, out)
		}
		mustBeStored(e, store, move.header)
		s.awaitMore(5)
		s.mustAllBeThere(c.Client())
		isInForce(c)
	}
	s.stop()
}

// dieWhenItSays runs rotate and kills it once it has said something.
func dieWhenItSays(c *harness.Controller, text string) {
	c.Helper()
	name := "rotate-" + strings.ReplaceAll(text, " ", "-")
	p := c.Env.Start(name, process.Spec{Path: c.Binary(), Args: append([]string{"secrets-encrypt", "rotate"}, c.RunArgs()...)})
	c.WithinAlive(p, harness.Patience, fmt.Sprintf("rotate to say %q", text), func(context.Context) error {
		if log := strings.Join(p.Lines(), "\n"); !strings.Contains(log, text) {
			return errors.New(log)
		}
		return nil
	})
	p.Kill()
	if code := p.ExitCode(); code != -1 {
		c.Errorf("rotate ended with %d before it was killed: %s", code, p.Tail(1))
	}
}

// command runs `khw-controller secrets-encrypt`, and returns both its outputs.
func command(c *harness.Controller, args ...string) (string, error) {
	args = append(append([]string{"secrets-encrypt"}, args...), c.RunArgs()...)
	out, err := exec.CommandContext(c.Context(), c.Binary(), args...).CombinedOutput()
	return string(out), err
}

// isInForce wants nothing to be left to do, and no file to wait for a restart.
func isInForce(c *harness.Controller) {
	c.Helper()
	if out, err := command(c, "status"); err != nil || !strings.Contains(out, "Next: nothing ") {
		c.Errorf("secrets-encrypt status: %v:\n%s", err, out)
	}
	out, err := exec.CommandContext(c.Context(), c.Binary(), "status", "--root", c.Root, "-o", "json").Output()
	var report struct{ Files []struct{ Path string } }
	if json.Unmarshal(out, &report) != nil || len(report.Files) > 0 {
		c.Errorf("status: %v: %s", err, out)
	}
}

// mustBeStored wants each secret in etcd to begin with this.
func mustBeStored(e *harness.Env, store *clientv3.Client, header string) {
	e.Helper()
	found, err := store.Get(e.Context(), "/registry/secrets/", clientv3.WithPrefix())
	e.Must(err)
	for _, kv := range found.Kvs {
		if !strings.HasPrefix(string(kv.Value), header) {
			e.Errorf("%s begins with %.40q, want %q", kv.Key, kv.Value, header)
		}
	}
	if len(found.Kvs) < 50 {
		e.Errorf("there are %d secrets", len(found.Kvs))
	}
}

func file(e *harness.Env, path string) string {
	e.Helper()
	data, err := os.ReadFile(path)
	e.Must(err)
	return string(data)
}

// secretOf is the key in the lab's file.
func secretOf(config string) string {
	_, secret, _ := strings.Cut(config, "secret: ")
	secret, _, _ = strings.Cut(secret, "\n")
	return secret
}
