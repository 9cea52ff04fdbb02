// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/logs"
	"k8s.io/klog/v2"
)

// foreignInfo has a package of Kubernetes log at level 0, and logs in the way that
// only Kubernetes' packages do.
func foreignInfo(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cache.WaitForNamedCacheSyncWithContext(ctx, func() bool { return true })
	klog.Infof("not %s", "structured")
	klog.Warning("a warning")
}

func TestQuietLog(t *testing.T) {
	state := klog.CaptureState()
	defer state.Restore()
	var out bytes.Buffer
	useQuietLog(&out)
	for _, test := range []struct {
		level, says, silent string
	}{
		{"0", "ours ours-with-values an-error a-foreign-error", "warning structured caches level-2"},
		{"1", "ours ours-with-values an-error a-foreign-error warning structured caches", "level-2"},
		{"2", "ours ours-with-values an-error a-foreign-error warning structured caches level-2", ""},
	} {
		out.Reset()
		if _, err := logs.GlogSetter(test.level); err != nil {
			t.Fatal(err)
		}
		foreignInfo(t)
		klog.InfoS("ours")
		klog.LoggerWithValues(klog.Background(), "of", "a component").Info("ours-with-values")
		klog.ErrorS(errors.New("it"), "an-error")
		klog.V(2).InfoS("level-2")
		utilruntime.HandleErrorWithContext(t.Context(), errors.New("it"), "a-foreign-error")
		for word := range strings.FieldsSeq(test.says) {
			if !strings.Contains(out.String(), word) {
				t.Errorf("at %s %q is missing in:\n%s", test.level, word, &out)
			}
		}
		for word := range strings.FieldsSeq(test.silent) {
			if strings.Contains(out.String(), word) {
				t.Errorf("at %s %q is in:\n%s", test.level, word, &out)
			}
		}
		for line := range strings.Lines(out.String()) {
			caller := strings.Fields(line)[3]
			for text, want := range map[string]string{"ours": "logsink_test.go:", "\"an-error\"": "logsink_test.go:", "level-2": "logsink_test.go:", "a-foreign-error": "logsink_test.go:"} {
				if strings.Contains(line, text) && !strings.HasPrefix(caller, want) {
					t.Errorf("the caller is %s, want %s, in %q", caller, want, line)
				}
			}
		}
	}
}
