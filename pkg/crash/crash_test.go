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

// reportVariable makes this test binary crash with its reports going there.
const reportVariable = "CRASH_TEST_REPORT"

func TestMain(m *testing.M) {
	if path := os.Getenv(reportVariable); path != "" {
		if _, err := Enable(path); err != nil {
			os.Exit(3)
		}
		go panic("on a foreign goroutine")
		select {}
	}
	os.Exit(m.Run())
}

func TestAPanicOnAForeignGoroutineLeavesAReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made/crash.log")
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), reportVariable+"="+path)
	var exit *exec.ExitError
	if err := command.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Fatalf("got %v, want the exit code of a panic", err)
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

func TestRecordedEndsAreKeptUpToFive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range keep + 2 {
		r, err := Enable(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Record("kube-scheduler left the process", []byte("stack")); err != nil {
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
		if err != nil || summary != "kube-scheduler left the process" {
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
