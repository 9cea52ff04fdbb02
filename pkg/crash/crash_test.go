// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reportVariable makes this test binary crash with its reports going there, and
// closedVariable only after those were closed.
const (
	reportVariable = "CRASH_TEST_REPORT"
	closedVariable = "CRASH_TEST_CLOSED"
)

const recorded = "kube-scheduler left the process"

func TestMain(m *testing.M) {
	if path := os.Getenv(reportVariable); path != "" {
		r, err := Enable(path)
		if err == nil && os.Getenv(closedVariable) != "" {
			err = errors.Join(r.Record(recorded, nil), r.Close())
		}
		if err != nil {
			os.Exit(3)
		}
		go panic("on a foreign goroutine")
		select {}
	}
	os.Exit(m.Run())
}

// crash runs this test binary until it panics.
func crash(t *testing.T, environment ...string) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), environment...)
	var exit *exec.ExitError
	if err := command.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Fatalf("got %v, want the exit code of a panic", err)
	}
}

func TestAPanicOnAForeignGoroutineLeavesAReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made/crash.log")
	crash(t, reportVariable+"="+path)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the report: %v, %v", info, err)
	}
	summary, report, err := Previous(path)
	if err != nil {
		t.Fatal(err)
	}
	if summary != "panic: on a foreign goroutine" {
		t.Errorf("the summary is %q", summary)
	}
	data, err := os.ReadFile(report)
	if err != nil || !strings.Contains(string(data), "crash_test.go") {
		t.Errorf("the report %s has no stack: %v", report, err)
	}
	if summary, _, err := Previous(path); err != nil || summary != "" {
		t.Errorf("the report is told twice: %q, %v", summary, err)
	}
}

func TestAnOrderlyRunLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	r, err := Enable(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("left: %v", err)
	}
}

func TestAfterCloseNothingIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	crash(t, reportVariable+"="+path, closedVariable+"=1")
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), "panic") {
		t.Errorf("the report, %v:\n%s", err, data)
	}
}

// A process that was killed leaves the report that it has not written.
func TestAnEmptyReportIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if summary, report, err := Previous(path); err != nil || summary != "" || report != "" {
		t.Errorf("got %q, %q, %v", summary, report, err)
	}
	if kept, err := filepath.Glob(path + ".*"); err != nil || len(kept) > 0 {
		t.Errorf("kept: %v, %v", kept, err)
	}
}

func TestSummaryIsTheFirstLineThatSaysSomething(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	if got, err := Summary(path); err != nil || got != "" {
		t.Errorf("of no report: %q, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("\n \n  fatal error: stack overflow\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Summary(path); err != nil || got != "fatal error: stack overflow" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAReportBeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	if err := os.WriteFile(path, []byte(strings.Repeat("an older one\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Enable(path)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Truncate(time.Second)
	if err := errors.Join(r.Record(recorded, []byte("goroutine 1")), r.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reason, rest, _ := strings.Cut(string(data), "\n\ntime: ")
	at, stack, _ := strings.Cut(rest, "\n\n")
	if reason != recorded || stack != "goroutine 1\n" {
		t.Errorf("the report:\n%s", data)
	}
	if when, err := time.Parse(time.RFC3339, at); err != nil || when.Before(before) {
		t.Errorf("it is of %s, %v", at, err)
	}
}

func TestRecordedEndsAreKeptUpToFive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range keep + 2 {
		r, err := Enable(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Record(recorded, []byte("stack")); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		when := at.Add(time.Duration(i) * time.Hour)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		summary, _, err := Previous(path)
		if err != nil || summary != recorded {
			t.Fatalf("got %q, %v", summary, err)
		}
	}
	reports, err := filepath.Glob(path + ".*")
	if err != nil || len(reports) != keep {
		t.Fatalf("%d reports are kept, want %d (%v)", len(reports), keep, err)
	}
	if oldest := filepath.Base(reports[0]); !strings.Contains(oldest, "T020000") {
		t.Errorf("the oldest kept is %s: the newest should be kept", oldest)
	}
}
