// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// planFrom plans what the config file at path asks for.
func planFrom(t *testing.T, path string) func() (*plan.Plan, error) {
	root := t.TempDir()
	return func() (*plan.Plan, error) {
		var f config.Flags
		fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
		f.AddTo(fs)
		if err := fs.Parse([]string{"--config", path, "--advertise-address", "192.0.2.10"}); err != nil {
			return nil, err
		}
		c, err := f.Load(root)
		if err != nil {
			return nil, err
		}
		return plan.New(context.Background(), c)
	}
}

// logged returns what f logs, and ends with the log as it was.
func logged(t *testing.T, f func()) string {
	t.Helper()
	state := klog.CaptureState()
	defer state.Restore()
	var out bytes.Buffer
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	klog.SetOutputBySeverity("INFO", &out) // which takes the others too
	f()
	klog.Flush()
	return out.String()
}

func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "khw-controller.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("v: 2\nshutdown-delay: 10s\n")
	next := planFrom(t, path)
	running, err := next()
	if err != nil {
		t.Fatal(err)
	}
	reapplied := 0
	var waiting []string
	r := newReloader(running, next, func() { reapplied++ }, func(keys []string) { waiting = keys })
	for _, step := range []struct {
		file      string
		verbosity int
		says      []string
		silent    string
	}{
		{"v: 2\nshutdown-delay: 10s\n", 2, []string{`applied="nothing"`}, "needRestart"},
		{"v: 4\nshutdown-delay: 10s\n", 4, []string{`applied="v=4"`, path}, "needRestart"},
		{"v: 4\nshutdown-delay: 20s\netcd-arg: [quota-backend-bytes=1]\n", 4, []string{`applied="nothing"`, `needRestart="shutdown-delay, etcd-arg"`}, ""},
		{"v: 0\nshutdown-dealy: 10s\n", 4, []string{path + ":2:", "shutdown-delay?", "nothing has changed"}, "applied"},
		{"v: 0\nkube-apiserver-arg: [event-tll=1h]\n", 4, []string{"event-tll", "nothing has changed"}, "applied"},
		{"v: loud\n", 4, []string{"loud", "nothing has changed"}, "applied"},
		{"kube-apiserver-arg: [v=1]\nshutdown-delay: 10s\n", 1, []string{`applied="v=1"`}, "needRestart"},
	} {
		write(step.file)
		var level klog.Level
		out := logged(t, func() {
			r.reload()
			for level = 0; klog.V(level + 1).Enabled(); level++ {
			}
		})
		if int(r.verbosity) != step.verbosity {
			t.Errorf("%q: the verbosity is %d, want %d", step.file, r.verbosity, step.verbosity)
		}
		if strings.Contains(out, `applied="v=`) && int(level) != step.verbosity {
			t.Errorf("%q: klog's verbosity is %d, want %d", step.file, level, step.verbosity)
		}
		for _, s := range step.says {
			if !strings.Contains(out, s) {
				t.Errorf("%q: %q does not say %q", step.file, out, s)
			}
		}
		if step.silent != "" && strings.Contains(out, step.silent) {
			t.Errorf("%q: %q speaks of %s", step.file, out, step.silent)
		}
		if told := strings.Join(waiting, ", "); strings.Contains(out, "needRestart") && !strings.Contains(out, `needRestart="`+told+`"`) || strings.Contains(out, "applied") && !strings.Contains(out, "needRestart") && told != "" {
			t.Errorf("%q: told that %q waits, and logs %q", step.file, told, out)
		}
		if n := strings.Count(out, "\n"); n != 1 {
			t.Errorf("%q: %d lines, want one: %s", step.file, n, out)
		}
	}
	if reapplied != 4 {
		t.Errorf("the manifests were applied again %d times, want 4, once for each valid file", reapplied)
	}
}

func TestReloadLeavesNothingOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "khw-controller.yaml")
	if err := os.WriteFile(path, []byte("v: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := planFrom(t, path)
	running, err := next()
	if err != nil {
		t.Fatal(err)
	}
	r := newReloader(running, next, func() {}, func([]string) {})
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := open()
	logged(t, func() {
		for range 20 {
			r.reload()
		}
	})
	if after := open(); after > before+5 {
		t.Errorf("%d files are open after 20 reloads, %d before", after, before)
	}
}

func TestReloadsAreServedWhenAskedFor(t *testing.T) {
	asked := make(chan os.Signal)
	var told []string
	r := &reloader{next: func() (*plan.Plan, error) { told = append(told, "plan"); return nil, errors.New("no") }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	around := func(f func()) { told = append(told, "begin"); f(); told = append(told, "end") }
	logged(t, func() {
		go func() { defer close(done); r.serve(ctx, asked, around) }()
		asked <- syscall.SIGHUP
		asked <- syscall.SIGHUP
		cancel()
		<-done
	})
	if got := strings.Join(told, " "); !strings.HasPrefix(got, "begin plan end") {
		t.Errorf("told: %s", got)
	}
}
