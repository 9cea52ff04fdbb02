// SPDX-License-Identifier: Apache-2.0

// Package status asks a controller how it is, from before its first second to
// after its end.
package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	report "github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// says runs `khw-controller status` and returns its exit code and all it prints.
func says(c *harness.Controller, args ...string) (code int, out string) {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), c.Binary(), append([]string{"status", "--root", c.Root}, args...)...)
	var printed, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &complaints
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		c.Fatal(err)
	}
	if complaints.Len() > 0 {
		c.Errorf("status %s says on stderr: %s", strings.Join(args, " "), &complaints)
	}
	return cmd.ProcessState.ExitCode(), printed.String()
}

// reported returns what the status is as JSON.
func reported(c *harness.Controller) (code int, r report.Report) {
	c.Helper()
	code, out := says(c, "-o", "json")
	c.Must(json.Unmarshal([]byte(out), &r))
	return code, r
}

func awaitCode(c *harness.Controller, want int, text string) {
	c.Helper()
	c.Eventually(fmt.Sprintf("status to exit with %d and say %q", want, text), func(context.Context) error {
		if code, out := says(c); code != want || !strings.Contains(out, text) {
			return fmt.Errorf("exit code %d: %s", code, out)
		}
		return nil
	})
}

func TestStatus(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	awaitCode(c, 2, "has not run here yet")
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 3)
	c.EtcdServers = etcd.URLs()
	c.Args = []string{"--kube-apiserver-arg", "event-ttl=2h"}
	c.StartReady()

	awaitCode(c, 0, "is ready")
	healthy(c)
	socketIsTheOwners(c)

	etcd.Processes[2].Kill()
	awaitCode(c, 1, "problem: etcd member")
	// The service manager hears of it too, within a minute or with the question.
	c.AwaitStatus("degraded: ")
	e.Must(etcd.Processes[1].Signal(syscall.SIGSTOP))
	// No quorum: the apiserver does not answer any more, and status does.
	awaitCode(c, 1, "/readyz")
	e.Must(etcd.Processes[1].Signal(syscall.SIGCONT))
	c.AwaitStatus("kube-apiserver running,")

	c.Process.Kill()
	awaitCode(c, 2, "did not end in order")
	c.StartReady() // over the socket that was left behind
	awaitCode(c, 1, "is degraded")
	c.StopInOrder()
	awaitCode(c, 2, "was stopped in order")
	if _, err := os.Lstat(socket(c)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func socket(c *harness.Controller) string { return filepath.Join(c.Root, "run/khw-controller.sock") }

func socketIsTheOwners(c *harness.Controller) {
	c.Helper()
	info, err := os.Stat(socket(c))
	c.Must(err)
	if info.Mode() != os.ModeSocket|0o600 {
		c.Errorf("the socket has mode %s, want a socket with 0600", info.Mode())
	}
}

// healthy looks through the report of a controller that has nothing to complain
// about.
func healthy(c *harness.Controller) {
	c.Helper()
	code, r := reported(c)
	if code != 0 || r.Status != report.Ready || len(r.Problems) > 0 {
		c.Errorf("exit code %d, %s with %q", code, r.Status, r.Problems)
	}
	var names []string
	for _, s := range r.Components {
		names = append(names, s.Component)
		if !s.State.Up() || s.Restarts != 0 || s.Since.IsZero() {
			c.Errorf("component %+v", s)
		}
	}
	if got, want := strings.Join(names, " "), "kube-apiserver kube-controller-manager kube-scheduler bootstrap snapshots health-proxy"; got != want {
		c.Errorf("components %s, want %s", got, want)
	}
	leaders := 0
	for _, m := range r.Etcd.Members {
		if m.Leader {
			leaders++
		}
		if m.Error != "" || m.DBSize == 0 || m.FsyncP99 == 0 || m.Version == "" {
			c.Errorf("member %+v", m)
		}
	}
	if len(r.Etcd.Members) != 3 || leaders != 1 {
		c.Errorf("%d members with %d leaders, want 3 with 1", len(r.Etcd.Members), leaders)
	}
	if r.HealthPort == nil || r.HealthPort.Answer != "ok" {
		c.Errorf("the health port is %+v", r.HealthPort)
	}
	if len(r.Certificates) == 0 || r.Certificates[0].NotAfter.Before(r.At) {
		c.Errorf("the certificates are %+v", r.Certificates)
	}
	if !strings.Contains(strings.Join(r.Lab.Set, " "), "kube-apiserver --event-ttl=2h") {
		c.Errorf("set here: %q; want event-ttl among it", r.Lab.Set)
	}
	if r.PID != c.Process.PID() || len(r.Controllers) != 1 || r.Controllers[0] != r.Address {
		c.Errorf("process %d at %s, controllers %q", r.PID, r.Address, r.Controllers)
	}
}
