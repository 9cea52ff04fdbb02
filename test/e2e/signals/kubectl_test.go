// SPDX-License-Identifier: Apache-2.0

package signals

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// kubectlPod is a pod that runs, with a container to log from and go into.
const kubectlPod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","namespace":"default"},
"spec":{"containers":[{"name":"web","image":"web","ports":[{"containerPort":80}]}]},"status":{"phase":"Running","containerStatuses":[{"name":"web","ready":true}]}}`

// endless is an apiserver that knows one pod, and whose answers to what lasts do
// not end.
func endless(t *testing.T) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		lasts := r.URL.Query().Get("watch") != "" && r.URL.Query().Get("watch") != "0" && r.URL.Query().Get("watch") != "false"
		for _, verb := range []string{"/log", "/exec", "/attach"} {
			lasts = lasts || strings.HasSuffix(r.URL.Path, verb)
		}
		switch {
		case lasts:
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			asked.Add(1)
			<-r.Context().Done()
		case strings.HasSuffix(r.URL.Path, "/pods/web"):
			fmt.Fprint(w, kubectlPod)
		case strings.HasSuffix(r.URL.Path, "/pods"):
			fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[%s]}`, kubectlPod)
		case r.URL.Path == "/api":
			fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case r.URL.Path == "/apis":
			fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		case r.URL.Path == "/api/v1":
			fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get","list","watch"]}]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL, asked
}

// interrupted is how a program ended after one Ctrl-C.
type interrupted struct {
	code   int // -1 by the signal
	signal syscall.Signal
	took   time.Duration
}

// interrupt starts a program, waits until it is at what lasts, and interrupts it
// once.
func interrupt(e *harness.Env, ready func() error, path string, args ...string) interrupted {
	e.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "HOME="+e.Path("home"), "KUBECONFIG=")
	log, err := os.Create(e.Path("interrupted.log"))
	e.Must(err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	e.Must(cmd.Start())
	done := make(chan struct{})
	var failed error
	go func() { failed = cmd.Wait(); close(done) }()
	e.Eventually(path+" "+strings.Join(args, " ")+" to last", func(context.Context) error {
		select {
		case <-done:
			text, _ := os.ReadFile(log.Name())
			e.Fatalf("%v ended by itself: %v: %s", args, failed, text)
		default:
		}
		return ready()
	})
	begun := time.Now()
	e.Must(cmd.Process.Signal(syscall.SIGINT))
	select {
	case <-done: // how it ended is in its state
	case <-time.After(harness.Patience):
		e.Must(cmd.Process.Kill())
		<-done
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	ended := interrupted{code: cmd.ProcessState.ExitCode(), took: time.Since(begun)}
	if status.Signaled() {
		ended.signal = status.Signal()
	}
	return ended
}

// TestKubectlEndsByOneInterrupt compares with the stock kubectl, under all the
// names that it has here.
func TestKubectlEndsByOneInterrupt(t *testing.T) {
	e := harness.New(t)
	stock := e.StockBinary("kubectl")
	named := e.Path("kubectl")
	e.Must(os.Symlink(e.Binary(), named))
	url, asked := endless(t)
	for name, args := range map[string][]string{
		"get -w":  {"get", "pods", "-w"},
		"logs -f": {"logs", "-f", "web"},
		"exec":    {"exec", "web", "--", "sleep", "1000"},
		"attach":  {"attach", "web"},
		"wait":    {"wait", "pod/web", "--for=delete", "--timeout=1000s"},
		"proxy":   {"proxy", "--port=0"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--server", url}, args...)
			ready := func() error {
				if asked.Load() == 0 {
					return errors.New("nothing was asked for")
				}
				return nil
			}
			if name == "proxy" {
				ready = func() error {
					text, err := os.ReadFile(e.Path("interrupted.log"))
					if err == nil && !strings.Contains(string(text), "Starting to serve") {
						err = errors.New("it does not serve")
					}
					return err
				}
			}
			run := func(path string, args ...string) interrupted {
				asked.Store(0)
				return interrupt(e, ready, path, args...)
			}
			want := run(stock, args...)
			for shown, got := range map[string]interrupted{
				"khw-controller kubectl": run(e.Binary(), append([]string{"kubectl"}, args...)...),
				"kubectl":                run(named, args...),
			} {
				if got.code != want.code || got.signal != want.signal || got.took > want.took+2*time.Second {
					t.Errorf("%s ends with %+v, the stock kubectl with %+v", shown, got, want)
				}
				t.Logf("%s: %+v, stock: %+v", shown, got, want)
			}
		})
	}
}
