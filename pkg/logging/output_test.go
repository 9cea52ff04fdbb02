// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
)

// text is an error as klog writes it.
func text(site, what string) []byte {
	return fmt.Appendf(nil, "E1126 09:38:02.850396   18896 %s] %s\n", site, what)
}

// counting returns a stream of text at the lab's level, and what it has written.
func counting(t *testing.T) (*stream, *bytes.Buffer) {
	t.Helper()
	out := use(t, logsapi.DefaultLogFormat, "2")
	return &stream{out: inUse.Load(), parse: parseText, more: moreText}, out
}

func TestRepeatedLinesAreCounted(t *testing.T) {
	s, out := counting(t)
	// Timers write, under the lock.
	told := func() string {
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		defer out.Reset()
		return out.String()
	}
	synctest.Test(t, func(t *testing.T) {
		for i := range 1000 {
			_, _ = s.Write(text("a.go:1", fmt.Sprintf(`"Retrying" err="dial tcp 10.240.0.1%d:2379: connection refused" attempt=%d`, i%3, i)))
		}
		if got := strings.Count(told(), "\n"); got != 1 {
			t.Errorf("%d lines are told at once, want the first", got)
		}
		time.Sleep(period + time.Second)
		synctest.Wait()
		if got := told(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "attempt=999 (998 more like it in 1m0s)\n") {
			t.Errorf("after a period it says:\n%s", got)
		}
		_, _ = s.Write(text("a.go:1", `"Retrying" err="dial tcp 10.240.0.10:2379: connection refused" attempt=1000`))
		if got := told(); got != "" {
			t.Errorf("what goes on is told again at once: %s", got)
		}
		time.Sleep(3 * period)
		synctest.Wait()
		if got := told(); strings.Count(got, "\n") != 1 || strings.Contains(got, "more like it") {
			t.Errorf("the last one alone: %s", got)
		}
		if len(s.out.sites) != 0 {
			t.Errorf("it still counts %v", s.out.sites)
		}
		_, _ = s.Write(text("a.go:1", `"Retrying" err="dial tcp 10.240.0.10:2379: connection refused" attempt=1`))
		if told() == "" {
			t.Error("another outage is not told")
		}
		s.out.flush()
	})
}

func TestDifferentErrorsAreTold(t *testing.T) {
	s, out := counting(t)
	for _, what := range []string{"connection refused", "certificate has expired", "permission denied"} {
		_, _ = s.Write(text("a.go:1", "asking etcd: "+what))
		_, _ = s.Write(text("b.go:1", "asking etcd: "+what))
	}
	if got := strings.Count(out.String(), "\n"); got != 6 {
		t.Errorf("%d lines, want 6:\n%s", got, out)
	}
	s.out.flush()
}

func TestWhatIsHeldBackIsBounded(t *testing.T) {
	s, out := counting(t)
	word := func(i int) string { return strings.Repeat("x", i+1) }
	for i := range 500 {
		_, _ = s.Write(text("a.go:1", word(i)))
	}
	if got := strings.Count(out.String(), "\n"); got != kinds {
		t.Errorf("%d kinds are told, want %d", got, kinds)
	}
	out.Reset()
	s.out.flush()
	if got := out.String(); !strings.Contains(got, word(499)+fmt.Sprintf(" (%d more like it", 500-kinds-1)) {
		t.Errorf("at the end it says:\n%s", got)
	}
	for i := range sites + 10 {
		_, _ = s.Write(text(fmt.Sprintf("a%d.go:1", i), "it"))
	}
	if len(s.out.sites) > sites {
		t.Errorf("%d sites are kept", len(s.out.sites))
	}
	out.Reset()
	_, _ = s.Write(text("new.go:1", "it"))
	_, _ = s.Write(text("new.go:1", "it"))
	if strings.Count(out.String(), "\n") != 2 {
		t.Error("beyond the bound a line is held back")
	}
	s.out.flush()
}

func TestNothingIsHeldBackAtTheEnd(t *testing.T) {
	s, out := counting(t)
	for range 3 {
		_, _ = s.Write(text("a.go:1", "it"))
	}
	out.Reset()
	Flush()
	if !strings.Contains(out.String(), "it (1 more like it") {
		t.Errorf("it says %q", out)
	}
}

func TestWithEverythingNothingIsCounted(t *testing.T) {
	s, out := counting(t)
	if _, err := logs.GlogSetter("4"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, _ = s.Write(text("a.go:1", "it"))
	}
	if strings.Count(out.String(), "\n") != 3 {
		t.Errorf("it says %q", out)
	}
}

func TestStoriesAndTheEndAreNeverHeldBack(t *testing.T) {
	s, out := counting(t)
	for _, severity := range "IF" {
		for range 2 {
			_, _ = s.Write(bytes.Replace(text("a.go:1", "it"), []byte("E"), []byte(string(severity)), 1))
		}
	}
	_, _ = s.Write([]byte("goroutine 1 [running]:\n"))
	_, _ = s.Write([]byte("goroutine 1 [running]:\n"))
	if strings.Count(out.String(), "\n") != 6 {
		t.Errorf("it says %q", out)
	}
}

func TestACountInJSONIsJSON(t *testing.T) {
	out := use(t, logsapi.JSONLogFormat, "2")
	s := &stream{out: inUse.Load(), parse: parseJSON, more: moreJSON}
	for range 5 {
		_, _ = s.Write([]byte(`{"ts":1,"caller":"a/a.go:1","msg":"it","err":"refused"}` + "\n"))
	}
	out.Reset()
	Flush()
	var got struct {
		Msg, Period string
		More        int
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.More != 3 || got.Period != "1m0s" || got.Msg != "it" {
		t.Errorf("%q: %+v, %v", out, got, err)
	}
}

// TestRoutineLinesAreUpstreams fails when Kubernetes says it in other words, or
// elsewhere.
func TestRoutineLinesAreUpstreams(t *testing.T) {
	for _, r := range slices.Concat(routine, routineInStop, manyFaced, inOutage) {
		dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", r.pkg).Output()
		if err != nil {
			t.Fatalf("%s: %v", r.pkg, err)
		}
		path := filepath.Join(strings.TrimSpace(string(dir)), r.file)
		if found, err := exec.Command("grep", "-cF", r.text, path).Output(); err != nil {
			t.Errorf("%s does not say %q any more: %s%v", path, r.text, found, err)
		}
		if r.why == "" {
			t.Errorf("%s %q: no reason is given", r.file, r.text)
		}
	}
}

func TestWhatNamesItsRequestIsOfOneKind(t *testing.T) {
	s, out := counting(t)
	for i := range 3 * kinds {
		name := strings.Repeat("a", i+1)
		_, _ = s.Write(text(etcdBridgeFile+":82", fmt.Sprintf(`"apply request took too long" component="etcd" request="key:\"/registry/%s\""`, name)))
		_, _ = s.Write(text(etcdBridgeFile+":82", fmt.Sprintf(`"request stats" component="etcd" request="key:\"/registry/%s\""`, name)))
	}
	_, _ = s.Write(text(etcdBridgeFile+":82", `"something else" component="etcd"`))
	if got := out.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "something else") {
		t.Errorf("it says:\n%s", got)
	}
	out.Reset()
	Flush()
	if got := out.String(); strings.Count(got, fmt.Sprintf("(%d more like it in ", 3*kinds-2)) != 2 || strings.Count(got, "\n") != 2 {
		t.Errorf("afterwards it says:\n%s", got)
	}
}

func TestAnOutageIsCountedAsOne(t *testing.T) {
	s, out := counting(t)
	told := func() string {
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		defer out.Reset()
		return out.String()
	}
	everybody := func() {
		_, _ = s.Write(text("timeout.go:140", `"Post-timeout activity" method="GET"`))
		_, _ = s.Write(text("finisher.go:175", `"Unhandled Error" err="FinishRequest: post-timeout activity - time-elapsed: 3µs"`))
		_, _ = s.Write(text("watcher.go:425", "watch chan error: etcdserver: no leader"))
		_, _ = s.Write(text(etcdBridgeFile+":82", `"request stats" component="etcd"`))
		_, _ = s.Write(text("etcdclient.go:20", `"retrying of unary invoker failed" attempt="1"`))
		_, _ = s.Write(text("logging.go:55", `[core] grpc: addrConn.createTransport failed to connect to {Addr: "127.0.0.1:2379"}`))
	}
	synctest.Test(t, func(t *testing.T) {
		everybody()
		if got := strings.Count(told(), "\n"); got != 6 {
			t.Errorf("outside of an outage %d lines are told, want each", got)
		}
		flushed := func() { s.out.flush(); told() }
		flushed()
		over := Outage()
		for range 10 {
			everybody()
			time.Sleep(2 * time.Second)
		}
		if got := told(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "timeout.go") {
			t.Errorf("in an outage it says:\n%s", got)
		}
		_, _ = s.Write(text("other.go:1", "something else"))
		if got := told(); !strings.Contains(got, "something else") {
			t.Errorf("what does not come of it is not told: %q", got)
		}
		over()
		time.Sleep(trailing + time.Second)
		synctest.Wait()
		if got := told(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "(58 more like it in 30s)\n") {
			t.Errorf("after the outage it says:\n%s", got)
		}
		everybody()
		if got := strings.Count(told(), "\n"); got != 6 {
			t.Errorf("after an outage %d lines are told, want each", got)
		}
		flushed()
	})
}

func FuzzParse(f *testing.F) {
	f.Add(text("a.go:1", `"it" err="x"`))
	f.Add([]byte(`{"ts":1,"caller":"a/a.go:1","msg":"it","v":0}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, ok := parseText(data); ok && !bytes.Contains(data, []byte(l.text)) {
			t.Errorf("%q is not in %q", l.text, data)
		}
		if l, ok := parseJSON(data); ok {
			_ = l.kind()
			if more := moreJSON(data, 2, period); bytes.HasSuffix(bytes.TrimSpace(data), []byte(`"}`)) && !json.Valid(more) {
				t.Errorf("%q is no JSON", more)
			}
		}
	})
}

func BenchmarkWriteRepeated(b *testing.B) {
	o := newOutput(&bytes.Buffer{}, nil)
	s := &stream{out: o, parse: parseText, more: moreText}
	data := text("a.go:1", `"Retrying" err="dial tcp 10.240.0.10:2379: connection refused" attempt=7`)
	for b.Loop() {
		_, _ = s.Write(data)
	}
	o.flush()
}
