// SPDX-License-Identifier: Apache-2.0

// Package profiling looks at a live controller as docs/performance.md says: through
// /debug/pprof on the apiserver's port, as the admin and as nobody else.
package profiling

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// pages are what there is to see.
var pages = []string{"", "symbol", "heap", "allocs", "goroutine", "block", "mutex", "threadcreate", "profile?seconds=1", "trace?seconds=1"}

func TestOnlyTheAdminSeesProfiles(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady()

	heap, err := gzip.NewReader(strings.NewReader(c.Kubectl("get", "--raw", "/debug/pprof/heap")))
	e.Must(err)
	if data, err := io.ReadAll(heap); err != nil || !bytes.Contains(data, []byte("inuse_space")) {
		t.Errorf("/debug/pprof/heap is no heap profile: %v", err)
	}
	goroutines := c.Kubectl("get", "--raw", "/debug/pprof/goroutine?debug=1")
	for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		if label := `"component":"` + component + `"`; !strings.Contains(goroutines, label) {
			t.Errorf("no goroutine has the label %s", label)
		}
	}

	admin, err := cluster.Config(c.Lab("admin.kubeconfig"))
	e.Must(err)
	scheduler, err := cluster.Config(c.Lab("kube-scheduler.kubeconfig"))
	e.Must(err)
	for _, page := range pages {
		for _, who := range []struct {
			name   string
			config *restclient.Config
			want   int
		}{
			{"the admin", admin, http.StatusOK},
			{"the scheduler", scheduler, http.StatusForbidden},
			{"nobody", restclient.AnonymousClientConfig(admin), http.StatusForbidden},
		} {
			if code := get(e, who.config, "/debug/pprof/"+page); code != who.want {
				t.Errorf("/debug/pprof/%s answers %s with %d, want %d", page, who.name, code, who.want)
			}
		}
	}
	c.StopInOrder()

	c.Args = []string{"--kube-apiserver-arg", "profiling=false"}
	c.StartReady()
	if code := get(e, admin, "/debug/pprof/heap"); code != http.StatusNotFound {
		t.Errorf("with profiling=false, /debug/pprof/heap answers %d, want %d", code, http.StatusNotFound)
	}
	c.StopInOrder()
}

// get returns the status code of an answer.
func get(e *harness.Env, config *restclient.Config, path string) int {
	e.Helper()
	client, err := restclient.HTTPClientFor(config)
	e.Must(err)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(e.Context(), http.MethodGet, config.Host+path, http.NoBody)
	e.Must(err)
	resp, err := client.Do(req)
	e.Must(err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	e.Must(err)
	return resp.StatusCode
}
