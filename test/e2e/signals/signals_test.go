// SPDX-License-Identifier: Apache-2.0

// Package signals sends a controller, started without a service manager and under
// another name than its own, the signals that operators send.
package signals

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

func TestSignalsWithoutAServiceManagerUnderAnotherName(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	renamed := e.Path("kcp")
	e.Must(os.Symlink(c.Binary(), renamed))
	config := filepath.Join(c.Root, "etc/kubernetes/config/khw-controller.yaml")
	e.Must(os.MkdirAll(filepath.Dir(config), 0o755))
	e.Must(os.WriteFile(config, []byte("v: 2\n"), 0o600))
	p := e.Start("renamed", process.Spec{Path: renamed, Args: append([]string{"run"}, c.RunArgs()...)})
	logs := func(text string) {
		t.Helper()
		e.WithinAlive(p, harness.Patience, text+" in the log", func(context.Context) error {
			data, err := os.ReadFile(p.Log)
			if err == nil && !strings.Contains(string(data), text) {
				err = errors.New(p.Tail(1))
			}
			return err
		})
	}
	logs("The control plane is ready")

	e.Must(os.WriteFile(config, []byte("v: 3\nshutdown-delay: 1s\n"), 0o600))
	e.Must(p.Signal(syscall.SIGHUP))
	logs(`"Read the configuration again" file="` + config + `" applied="v=3" needRestart="shutdown-delay"`)

	code, err := p.Stop(harness.Patience)
	e.Must(err)
	if code != 0 {
		t.Errorf("it ended with exit code %d after SIGTERM, want 0; its last line: %s", code, p.Tail(1))
	}
	logged, err := os.ReadFile(p.Log)
	e.Must(err)
	for _, component := range []string{"kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"} {
		if !strings.Contains(string(logged), `"Component is stopped" component="`+component+`"`) {
			t.Errorf("%s did not stop in order", component)
		}
	}
}

func TestAStopWhileItIsCheckedWhetherItWouldWork(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Start()
	// Logged right before the checks, of which the components' own are made by a child.
	c.WithinAlive(c.Process, harness.Patience, "the checks to begin", func(context.Context) error {
		if !strings.Contains(strings.Join(c.Process.Lines(), "\n"), "Advertising this controller") {
			return errors.New(c.Process.Tail(1))
		}
		return nil
	})
	c.StopInOrder()
	for _, l := range c.ErrorLines() {
		t.Errorf("it logs: %s", l)
	}
	if entries, err := os.ReadDir(c.Lab("")); err == nil && len(entries) > 0 {
		t.Errorf("it has gone on, and made %s", entries[0].Name())
	}
}
