// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"strings"
	"testing"

	"k8s.io/klog/v2"

	logsapi "k8s.io/component-base/logs/api/v1"
)

const retry = `{"level":"warn","ts":"2026-11-26T10:28:24.310845Z","logger":"etcd-client","caller":"v3@v3.7.3/retry_interceptor.go:68","msg":"retrying of unary invoker failed","attempt":0,"error":"no leader"}` + "\n"

func TestWhatEtcdsClientSaysIsInTheLog(t *testing.T) {
	for level, want := range map[string]int{"0": 0, "2": 1, "4": 3} {
		out := use(t, logsapi.DefaultLogFormat, level)
		for range 3 {
			logEtcdClient([]byte(retry))
		}
		klog.Flush()
		if got := strings.Count(out.String(), "] \"retrying of unary invoker failed\" attempt=\"0\" caller="); got != want {
			t.Errorf("at %s there are %d lines, want %d:\n%s", level, got, want, out)
		}
	}
	out := use(t, logsapi.DefaultLogFormat, "0")
	logEtcdClient([]byte(strings.Replace(retry, "warn", "error", 1)))
	logEtcdClient([]byte("no JSON\n"))
	if !strings.Contains(out.String(), "no leader") || !strings.Contains(out.String(), "no JSON") {
		t.Errorf("an error is missing in:\n%s", out)
	}
}

func FuzzParseEtcdClient(f *testing.F) {
	f.Add([]byte(retry))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if level, text := parseEtcdClient(data); text == "" || strings.Contains(text, "\n") && level != "error" {
			t.Errorf("%q: %q", level, text)
		}
	})
}
