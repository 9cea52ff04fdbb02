// SPDX-License-Identifier: Apache-2.0

package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// silentRoot is a root with a socket that takes connections and says nothing.
func silentRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	l, err := status.Listen(paths.StatusSocket.Below(root))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return root
}

func TestALiveProcessThatIsSlowIsNotCalledDown(t *testing.T) {
	root := silentRoot(t)
	lockFile := paths.Lock.Below(root)
	if err := os.MkdirAll(filepath.Dir(lockFile), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := instance.Acquire(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for _, format := range []struct {
		json bool
		want string
	}{
		{false, fmt.Sprintf("this controller does not answer: process %d is there and has not answered within 900ms", os.Getpid())},
		{true, `"status": "no answer"`},
	} {
		var out bytes.Buffer
		begun := time.Now()
		err := (&command{root: root, json: format.json}).run(t.Context(), &out)
		if code := (cli.Exit{}); !errors.As(err, &code) || code.Code != 2 {
			t.Errorf("got %v, want exit code 2", err)
		}
		if !strings.Contains(out.String(), format.want) {
			t.Errorf("got %q, want %q", &out, format.want)
		}
		if took := time.Since(begun); took < answerTimeout {
			t.Errorf("it gives up after %s", took)
		}
	}
}

func TestAProcessThatServesNoStatusYetIsNotCalledDown(t *testing.T) {
	root := t.TempDir()
	lockFile := paths.Lock.Below(root)
	if err := os.MkdirAll(filepath.Dir(lockFile), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := instance.Acquire(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	c := &command{root: root}
	if a, err := c.askHere(t.Context()); err != nil || a.word() != status.NoAnswer || !strings.Contains(a.sentence(), "starts or stops") {
		t.Errorf("while it starts: %+v, %v", a, err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err := c.askHere(t.Context()); err != nil || a.word() != status.Down || !strings.Contains(a.sentence(), "was stopped in order") {
		t.Errorf("after its end: %+v, %v", a, err)
	}
}

func TestARunThatFailedIsNotCalledOrderly(t *testing.T) {
	root := t.TempDir()
	lock, err := instance.Acquire(paths.Lock.Below(root))
	if err != nil {
		t.Fatal(err)
	}
	lock.Failed(errors.New("etcd: no space left on device"))
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := (&command{root: root}).askHere(t.Context())
	if err != nil || a.word() != status.Down || !strings.Contains(a.sentence(), "because etcd: no space left on device") || strings.Contains(a.sentence(), "in order") {
		t.Errorf("got %q, %v", a.sentence(), err)
	}
}

func TestAProcessThatEndsMeanwhileIsNotCalledSilent(t *testing.T) {
	if err := whySilent(silentRoot(t)); !strings.Contains(err.Error(), "it has ended this moment") {
		t.Errorf("got %v", err)
	}
}

func TestAPausedProcessIsSaidToBePaused(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := cmd.Process.Pid
	if paused(pid) {
		t.Error("a process that sleeps is called paused")
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 20*time.Second, true,
		func(context.Context) (bool, error) { return paused(pid), nil })
	if err != nil {
		t.Error("a paused process is not called paused")
	}
	if paused(-1) {
		t.Error("a process that does not exist is called paused")
	}
}

func TestAnotherControllerThatSaysNothingIsNotCalledDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if a := askThere(t.Context(), &restclient.Config{}, address); a.word() != status.NoAnswer || !strings.Contains(a.sentence(), address+" does not answer: nothing came back within 900ms") {
		t.Errorf("of one that is silent: %s", a.sentence())
	}
	l.Close()
	if a := askThere(t.Context(), &restclient.Config{}, address); a.word() != status.Down || !strings.Contains(a.sentence(), address+" is down: it refuses the connection: nobody listens there") {
		t.Errorf("of one that is down: %s", a.sentence())
	}
	busy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer busy.Close()
	insecure := &restclient.Config{TLSClientConfig: restclient.TLSClientConfig{Insecure: true}}
	if a := askThere(t.Context(), insecure, strings.TrimPrefix(busy.URL, "https://")); a.word() != status.NoAnswer || !strings.Contains(a.sentence(), "429") {
		t.Errorf("of one that is busy: %s", a.sentence())
	}
}

func TestDifferentProfilesAreTold(t *testing.T) {
	of := func(node string, profiles ...string) answer {
		return answer{Report: &status.Report{Node: node, Profiles: profiles}}
	}
	gone := down("192.0.2.1:6443", errors.New("gone"))
	for want, answers := range map[string][]answer{
		"": {of("a", "edge"), gone, of("b", "edge")},
		"the controllers have different profiles: a has edge, b has none; give all the same (docs/profiles.md)": {of("a", "edge"), of("b"), gone},
	} {
		if got := differentProfiles(answers); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		var out bytes.Buffer
		if err := (&command{all: true}).show(&out, answers); err != nil || strings.Contains(out.String(), "different profiles") != (want != "") {
			t.Errorf("got %s, %v", &out, err)
		}
	}
	if got := differentProfiles([]answer{gone}); got != "" {
		t.Errorf("of nobody: %q", got)
	}
}
