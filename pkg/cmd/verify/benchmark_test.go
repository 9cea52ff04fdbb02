// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/cis"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

func TestOnlyWhatRunsIsJudged(t *testing.T) {
	p := planFor(t, config.Config{Root: "/r", Profiles: []string{"cis"}, Args: map[lab.Component][]lab.Override{
		lab.APIServer: overrides("event-ttl=2h", "v=4"),
	}})
	for set, want := range map[string]string{
		"kube-apiserver --event-ttl=2h":                      "",
		"kube-apiserver --event-ttl=2h,kube-apiserver --v=2": "", // which a reload takes over
		"kube-apiserver --event-ttl=3h":                      "was started with kube-apiserver --event-ttl=3h, without kube-apiserver --event-ttl=2h; give verify the flags of run",
		"":                                                   "was started without kube-apiserver --event-ttl=2h",
		"kube-apiserver --event-ttl=2h,kube-scheduler --profiling=1": "was started with kube-scheduler --profiling=1",
	} {
		running := &status.Report{}
		if set != "" {
			running.Lab.Set = strings.Split(set, ",")
		}
		err := sameFlags(p, running)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", set, err, want)
		}
	}
}

func TestAControllerThatDoesNotSayHowItRuns(t *testing.T) {
	c := &config.Config{Root: t.TempDir()}
	if r, err := whatRuns(t.Context(), c); r != nil || err != nil {
		t.Errorf("where none runs: %v, %v", r, err)
	}
	path := paths.Lock.Below(c.Root)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := instance.Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if r, err := whatRuns(t.Context(), c); r != nil || err == nil || !strings.Contains(err.Error(), "does not say with which profile") {
		t.Errorf("without a socket: %v, %v", r, err)
	}
}

func TestHowItemsAreWritten(t *testing.T) {
	results := []cis.Result{
		{ID: "1.2.1", Title: "a", Result: verify.Result{Step: "1.2.1 a", Outcome: verify.Failed, Failures: []verify.Failure{{Problem: "p", Next: "n"}}}},
		{ID: "2.7", Title: "b", Result: verify.Result{Step: "2.7 b", Outcome: verify.Differs, Differs: "the lab has one"}},
	}
	var out bytes.Buffer
	if err := writeItems(&out, results, "json", time.Now()); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Benchmark                        string
		Failed, Differs, Passed, Skipped int
		Items                            []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Benchmark != cis.Benchmark || read.Failed != 1 || read.Differs != 1 || read.Passed+read.Skipped != 0 || len(read.Items) != 2 ||
		read.Items[0]["id"] != "1.2.1" || read.Items[0]["outcome"] != "failed" || read.Items[1]["differs"] != "the lab has one" {
		t.Errorf("in JSON: %s", out.String())
	}
	t.Setenv("LC_ALL", "C")
	out.Reset()
	if err := writeItems(&out, results, "text", time.Now()); err != nil {
		t.Fatal(err)
	}
	const want = cis.Benchmark + "\n\nAPI server\n[FAILED] 1.2.1 a\n    p\n    -> n\n\netcd\n[lab] 2.7 b\n    the lab has one\n\n2 items: 0 passed, 1 failed, 1 as the lab has it, 0 skipped\n"
	if out.String() != want {
		t.Errorf("in words:\n%s", out.String())
	}
	out.Reset()
	if err := writeItems(&out, results, "junit", time.Now()); err != nil || !strings.Contains(out.String(), `failures="1"`) {
		t.Errorf("for CI: %s, %v", out.String(), err)
	}
}
