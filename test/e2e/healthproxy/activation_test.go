// SPDX-License-Identifier: Apache-2.0

package healthproxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// activate starts the controller as systemd does with khw-controller.socket: when
// the first health check comes, and with the port open already.
func activate(c *harness.Controller, name string) {
	c.Helper()
	notify, err := process.ListenNotify(c.Path(name + ".sock"))
	c.Must(err)
	c.Cleanup(notify.Close)
	c.Notify = notify
	args := []string{
		"--listen", fmt.Sprintf("127.0.0.1:%d", c.Ports.Health), "--fdname", name,
		"--setenv", notify.Env, c.Binary(), "run",
	}
	c.Process = c.Env.Start(name, process.Spec{Path: "/usr/bin/systemd-socket-activate", Args: append(args, c.RunArgs()...)})
}

func TestSocketFromSystemd(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	activate(c, "healthz")
	// It listens where --healthz-bind-address says, which run must not call taken.
	mustAnswer(c, "/healthz", "503 starting")
	mustAnswer(c, "/healthz", "200 ok")
	c.AwaitReady()
	saysStoppingToTheEnd(c)
}

// saysStoppingToTheEnd stops c, and wants no health check refused before all
// else has stopped.
func saysStoppingToTheEnd(c *harness.Controller) {
	c.Helper()
	c.Must(c.Process.Signal(syscall.SIGTERM))
	mustAnswer(c, "/healthz", "503 stopping")
	heard := 0
	for {
		got, err := answer(c, "/healthz")
		if err != nil {
			break
		}
		if got != "503 stopping" {
			c.Errorf("during a stop, /healthz answers %q", got)
		}
		heard++
	}
	for _, line := range c.Process.Lines() {
		if strings.HasPrefix(line, "E") && strings.Contains(line, "Server closed") {
			c.Errorf("an orderly stop is logged as an error: %s", line)
		}
	}
	log := strings.Join(c.Process.Lines(), "\n")
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		if !strings.Contains(log, fmt.Sprintf(`"Component is stopped" component="%s"`, name)) {
			c.Errorf("%s has not stopped, and health checks are refused", name)
		}
	}
	c.Logf("%d health checks were answered during the stop", heard)
	if code := c.Process.ExitCode(); code != 0 {
		c.Errorf("exit code %d after SIGTERM", code)
	}
}

func TestASocketThatNobodyWouldAnswerOnIsRefused(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	activate(c, "http")
	c.Eventually("it to end, asked for its health", func(context.Context) error {
		// The question starts it, and is never answered.
		got, err := answer(c, "/healthz")
		if err == nil {
			t.Errorf("/healthz answers %q", got)
		}
		if c.Process.Running() {
			return errors.New("it runs")
		}
		return nil
	})
	const want = `khw-controller: systemd passed the sockets "http"; want one socket with FileDescriptorName=healthz and one ListenStream= in khw-controller.socket`
	if code := c.Process.ExitCode(); code != 1 || !slices.Contains(c.Process.Lines(), want) {
		t.Errorf("exit code %d, %q", code, c.Process.Lines())
	}
}
