// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
	"github.com/khw-controller/khw-controller/test/e2e/harness/trio"
)

// try runs `khw-controller secrets-encrypt` on a node, and returns both its outputs.
func try(n *trio.Node, args ...string) (string, error) {
	return n.Try(append([]string{"secrets-encrypt"}, args...)...)
}

// refuses wants rotate to end with this in its last line.
func refuses(n *trio.Node, says string) {
	n.Helper()
	out, err := try(n, "rotate")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; err == nil || !strings.Contains(last, says) {
		n.Errorf("rotate: %v, %s\nwant a last line with %q", err, out, says)
	}
}

func TestRotationOverThreeControllers(t *testing.T) {
	e := harness.New(t)
	three := trio.Started(e)
	first, second, third := three[0], three[1], three[2]
	old := secretOf(file(e, first.Lab("encryption-config.yaml")))
	s := startSecrets(e, first.Client())
	s.awaitMore(50)

	// Nothing goes on without one of them.
	third.Stop()
	refuses(first, "controller-2 (10.240.0.12:6443) has not reported for")
	for _, n := range three {
		if !strings.Contains(file(e, n.Lab("encryption-config.yaml")), old) {
			t.Errorf("%s has dropped the old key", n.Name)
		}
	}
	if with := storedWith(second); len(with) != 1 || with[0] != "aescbc key1" {
		t.Errorf("stored with %v, want the old key", with)
	}
	third.Start()
	third.AwaitReady()

	// A controller dies while the command, on another, is at work.
	rotate := second.Host.Start("rotate", process.Spec{Path: second.Binary(), Args: append([]string{"secrets-encrypt", "rotate", "--root", second.Root}, second.Args...)})
	second.WithinAlive(rotate, harness.Patience, "all to write with the new key", func(context.Context) error {
		if log := strings.Join(rotate.Lines(), "\n"); !strings.Contains(log, "made first on") {
			return errors.New(log)
		}
		return nil
	})
	third.Process.Kill()
	rotate.Kill()
	third.Start()
	third.AwaitReady()
	if out, err := try(third, "rotate"); err != nil || !strings.Contains(out, "done: all is stored with aescbc key-") {
		t.Fatalf("from the one that died: %v: %s", err, out)
	}
	s.stop()
	want := file(e, first.Lab("encryption-config.yaml"))
	for _, n := range three {
		if got := file(e, n.Lab("encryption-config.yaml")); got != want || strings.Contains(got, old) {
			t.Errorf("%s has another configuration, or the old key still", n.Name)
		}
		s.mustAllBeThere(n.Client())
		if with := storedWith(n); len(with) != 1 || !strings.HasPrefix(with[0], "aescbc key-") {
			t.Errorf("%s finds stored with %v", n.Name, with)
		}
	}
	// One that starts anew reads what all have written.
	second.Process.Kill()
	second.Start()
	second.AwaitReady()
	s.mustAllBeThere(second.Client())
}

// status is what is read of that command's.
type status struct {
	Stored []struct{ Resource, Provider, Key string }
}

func statusOf(n *trio.Node) (s status) {
	n.Helper()
	out, _ := try(n, "status", "-o", "json") // it fails where something is left to do
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		n.Fatalf("%v: %s", err, out)
	}
	return s
}

// storedWith are the keys that status finds secrets stored with.
func storedWith(n *trio.Node) []string {
	n.Helper()
	var with []string
	for _, s := range statusOf(n).Stored {
		if s.Resource == "secrets" {
			with = append(with, s.Provider+" "+s.Key)
		}
	}
	return with
}
