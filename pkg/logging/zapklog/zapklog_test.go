// SPDX-License-Identifier: Apache-2.0

package zapklog

import (
	"bytes"
	"errors"
	"flag"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
	"k8s.io/klog/v2"
)

// capture returns what klog writes while do runs, at level v.
func capture(t *testing.T, v string, do func()) string {
	t.Helper()
	defer klog.CaptureState().Restore()
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	for name, value := range map[string]string{"logtostderr": "false", "v": v} {
		if err := fs.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	klog.SetOutput(&out)
	do()
	klog.Flush()
	return out.String()
}

func TestEtcdLogsThroughKlog(t *testing.T) {
	log := New(func(reason string) { t.Errorf("ended: %s", reason) })
	for v, want := range map[string]struct{ there, absent []string }{
		"0": {[]string{"W", "slow", `member="a"`}, []string{"started", "detail", "nil"}},
		"2": {[]string{"slow", "started", `component="etcd"`}, []string{"detail", "nil"}},
		"4": {[]string{"slow", "started", "detail"}, []string{"nil"}},
	} {
		got := capture(t, v, func() {
			log.With(zap.String("member", "a")).Warn("slow", zap.Error(nil))
			log.Info("started")
			log.Debug("detail")
		})
		for _, s := range want.there {
			if !strings.Contains(got, s) {
				t.Errorf("-v=%s: %q is missing in %q", v, s, got)
			}
		}
		for _, s := range want.absent {
			if strings.Contains(got, s) {
				t.Errorf("-v=%s: %q is in %q", v, s, got)
			}
		}
	}
}

func TestLoggersOfOneKeepTheirFields(t *testing.T) {
	log := New(func(reason string) { t.Errorf("ended: %s", reason) }).With(zap.Int("a", 1)).With(zap.Int("b", 2)).With(zap.Int("c", 3))
	one, other := log.With(zap.String("member", "one")), log.With(zap.String("member", "other"))
	if got := capture(t, "0", func() { one.Warn("slow") }); !strings.Contains(got, `member="one"`) {
		t.Errorf("it logs %q", got)
	}
	if got := capture(t, "0", func() { other.Warn("slow") }); !strings.Contains(got, `member="other"`) {
		t.Errorf("it logs %q", got)
	}
}

func TestAnOrderlyStopIsNoError(t *testing.T) {
	log := New(func(reason string) { t.Errorf("ended: %s", reason) })
	for err, want := range map[error]string{
		net.ErrClosed: "I", http.ErrServerClosed: "I", errors.New("mux: server closed"): "I", errors.New("disk full"): "E",
	} {
		got := capture(t, "0", func() { log.Error("setting up serving failed", zap.Error(err)) })
		if !strings.HasPrefix(got, want) {
			t.Errorf("%v is logged as %q", err, got)
		}
	}
}

func TestAFatalMessageIsHandedOverInsteadOfEndingTheProcess(t *testing.T) {
	for name, write := range map[string]func(*zap.Logger){
		"fatal": func(l *zap.Logger) { l.Fatal("cannot go on", zap.Error(errors.New("disk full"))) },
		"panic": func(l *zap.Logger) { l.Panic("cannot go on", zap.Error(errors.New("disk full"))) },
	} {
		t.Run(name, func(t *testing.T) {
			reason := ""
			log := New(func(r string) { reason = r })
			capture(t, "0", func() { write(log) })
			if reason != "cannot go on: disk full" {
				t.Errorf("the reason is %q", reason)
			}
		})
	}
}
