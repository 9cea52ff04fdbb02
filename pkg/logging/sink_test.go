// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/logging/zapklog"
)

// use has klog write to what it returns, as the process does, until the test ends.
func use(t *testing.T, format, level string) *bytes.Buffer {
	t.Helper()
	t.Cleanup(klog.CaptureState().Restore)
	var out bytes.Buffer
	c := logsapi.NewLoggingConfiguration()
	c.Format = format
	Use(&out, c)
	if _, err := logs.GlogSetter(level); err != nil {
		t.Fatal(err)
	}
	return &out
}

// foreignInfo has a package of Kubernetes log at level 0, and logs in the way that
// only Kubernetes' packages do.
func foreignInfo(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cache.WaitForNamedCacheSyncWithContext(ctx, func() bool { return true })
	klog.Infof("not %s", "structured")
	klog.Warning("a warning")
	klog.Error("an error without structure")
}

func TestTheStoryComesFirst(t *testing.T) {
	own := []string{"ours", "an-error", "level-2", "a-foreign-error"}
	const always = "ours ours-with-values an-error a-foreign-error structure"
	for _, format := range []string{logsapi.DefaultLogFormat, logsapi.JSONLogFormat} {
		for level, test := range map[string]struct{ says, silent string }{
			"0": {always, "warning structured caches level-2 etcd-says"},
			"1": {always, "warning structured caches level-2 etcd-says"},
			"2": {always + " warning level-2", "structured caches etcd-says"},
			"3": {always + " warning level-2", "structured caches etcd-says"},
			"4": {always + " warning level-2 structured caches etcd-says", ""},
		} {
			t.Run(format+" at "+level, func(t *testing.T) {
				out := use(t, format, level)
				foreignInfo(t)
				zapklog.New(func(string) {}).Info("etcd-says")
				klog.InfoS("ours")
				klog.LoggerWithValues(klog.Background(), "of", "a component").Info("ours-with-values")
				klog.ErrorS(errors.New("it"), "an-error")
				klog.V(2).InfoS("level-2")
				utilruntime.HandleErrorWithContext(t.Context(), errors.New("it"), "a-foreign-error")
				for word := range strings.FieldsSeq(test.says) {
					if !strings.Contains(out.String(), word) {
						t.Errorf("%q is missing in:\n%s", word, out)
					}
				}
				for word := range strings.FieldsSeq(test.silent) {
					if strings.Contains(out.String(), word) {
						t.Errorf("%q is in:\n%s", word, out)
					}
				}
				for data := range bytes.Lines(out.Bytes()) {
					parse := parseText
					if format == logsapi.JSONLogFormat {
						parse = parseJSON
					}
					l, ok := parse(data)
					if !ok || slices.Contains(own, l.text) && l.file() != "sink_test.go" {
						t.Errorf("the caller is %q in %q", l.site, data)
					}
					if l.text == "etcd-says" && l.file() != etcdBridgeFile {
						t.Errorf("%s logs what etcd says, want %s", l.file(), etcdBridgeFile)
					}
				}
			})
		}
	}
}

func TestVModuleIsHonoured(t *testing.T) {
	t.Cleanup(klog.CaptureState().Restore)
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	if err := fs.Set("vmodule", "loader=6,reflector=4"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fs.Set("vmodule", ""); err != nil {
			t.Error(err)
		}
	})
	var out bytes.Buffer
	c := logsapi.NewLoggingConfiguration()
	c.VModule = logsapi.VModuleConfiguration{{FilePattern: "loader", Verbosity: 6}, {FilePattern: "reflector", Verbosity: 4}}
	Use(&out, c)
	if _, err := clientcmd.LoadFromFile(kubeconfig(t)); err != nil { // not structured, at 6
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := cache.NewReflectorWithOptions(&cache.ListWatch{}, &v1.Pod{}, nil, cache.ReflectorOptions{})
	r.RunWithContext(ctx) // structured, at 3
	klog.Info("from another file")
	if got := out.String(); !strings.Contains(got, "Config loaded") || !strings.Contains(got, "reflector.go") || strings.Contains(got, "another file") {
		t.Errorf("it logs %q", got)
	}
}

func kubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestALineThatIsRoutineComesWithEverything(t *testing.T) {
	for level, want := range map[string]bool{"0": false, "2": false, "4": true} {
		out := use(t, logsapi.DefaultLogFormat, level)
		stream := &stream{out: inUse.Load(), parse: parseText, more: moreText}
		const routine = "E1126 09:38:02.850396   18896 options.go:205] The manifest file is empty, ignoring.\n"
		writeAsText(stream)([]byte(routine))
		writeAsText(stream)([]byte(strings.Replace(routine, "empty", "gone", 1)))
		if got := strings.Contains(out.String(), "empty"); got != want || !strings.Contains(out.String(), "gone") {
			t.Errorf("at %s it logs %q", level, out)
		}
	}
}

func TestWhatOnlyAStopSaysIsToldAtOtherTimes(t *testing.T) {
	for _, said := range []string{
		`garbagecollector.go:%d] "Unhandled Error" err="timed out waiting for dependency graph builder sync during GC sync"`,
		`controller.go:%d] Unable to remove endpoints from kubernetes service: StorageError: key not found, Code: 1, Key: /registry/masterleases/192.0.2.2`,
		`leaderelection.go:%d] "Failed to update lease" err="Put \"https://127.0.0.1:6443/apis/coordination.k8s.io/v1/leases\": context canceled"`,
		`publisher.go:%d] "Unhandled Error" err="syncing \"kube-system\" failed: context canceled" logger="UnhandledError"`,
		`stateful_set.go:%d] "Unhandled Error" err="unable to add controller revision controller indexer: indexer was not added because it has stopped already"`,
		`writers.go:%d] "Unhandled Error" err="apiserver was unable to write a fallback application/vnd.kubernetes.protobuf response: http: Handler timeout"`,
		`cache.go:%d] "Unhandled Error" err="Unable to sync caches for RemoteAvailability controller" logger="UnhandledError"`,
		`writers.go:%d] "Unhandled Error" err="apiserver was unable to write a application/vnd.kubernetes.protobuf response: the client is gone"`,
		`wrap.go:%d] "Timeout or abort while handling" logger="UnhandledError" method="GET" URI="/api/v1"`,
		`wrap.go:%d] "Post-timeout activity" logger="UnhandledError" timeElapsed="53.500478ms" method="PUT" path="/api" result=null`,
		`finisher.go:%d] "Unhandled Error" err="FinishRequest: post-timeout activity - time-elapsed: 1ms, panicked: false, err: <nil>, panic-reason: <nil>"`,
	} {
		out := use(t, logsapi.DefaultLogFormat, "2")
		stream := &stream{out: inUse.Load(), parse: parseText, more: moreText}
		format := "E1126 16:52:07.420248    2211 " + said + "\n"
		writeAsText(stream)(fmt.Appendf(nil, format, 1))
		Stopping()
		writeAsText(stream)(fmt.Appendf(nil, format, 2))
		stopping.Store(false)
		if got := out.String(); !strings.Contains(got, "go:1]") || strings.Contains(got, "go:2]") {
			t.Errorf("it logs %q", got)
		}
	}
}

func TestAJSONLineIsThatOfComponentBase(t *testing.T) {
	out := use(t, logsapi.JSONLogFormat, "2")
	klog.Warning("unstructured\nin two lines")
	klog.Error("unstructured")
	klog.ErrorS(errors.New("it"), "structured", "key", 1)
	var got []map[string]any
	for data := range bytes.Lines(out.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		got = append(got, m)
	}
	if len(got) != 3 || got[0]["msg"] != "unstructured\nin two lines" || got[0]["v"] != 0.0 || got[1]["v"] != nil || got[2]["err"] != "it" || got[2]["key"] != 1.0 {
		t.Errorf("got %v", got)
	}
	for _, m := range got {
		if caller, _ := m["caller"].(string); !strings.Contains(caller, "sink_test.go:") || m["ts"] == 0.0 {
			t.Errorf("got %v", m)
		}
	}
}
