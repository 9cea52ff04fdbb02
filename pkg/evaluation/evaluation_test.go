// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestReasons(t *testing.T) {
	one, two := errors.New("one\n  goes on"), errors.New("two")
	for name, test := range map[string]struct {
		err  error
		want []string
	}{
		"none":              {nil, nil},
		"one":               {one, []string{"one goes on"}},
		"several":           {utilerrors.NewAggregate([]error{one, two}), []string{"one goes on", "two"}},
		"several in one":    {utilerrors.NewAggregate([]error{one, utilerrors.NewAggregate([]error{two})}), []string{"one goes on", "two"}},
		"a panic is one":    {supervisor.Guard(func() error { panic("unexpected") }), []string{"panic: unexpected"}},
		"no panic is as is": {supervisor.Guard(func() error { return two }), []string{"two"}},
	} {
		if got := reasons(test.err); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestServeWantsARequest(t *testing.T) {
	var out strings.Builder
	if err := Serve(t.Context(), strings.NewReader("hello"), &out); err == nil || out.Len() > 0 {
		t.Errorf("got %v, %q", err, &out)
	}
}

// TestMain is the child, too, which makes something, says with which GOGC it runs and
// waits to be ended.
func TestMain(m *testing.M) {
	if os.Args[0] != "khw-controller" {
		os.Exit(m.Run())
	}
	if _, err := os.MkdirTemp("", "left-"); err != nil {
		os.Exit(1)
	}
	runs := os.Getenv(childRuns)
	if err := os.WriteFile(runs+".new", fmt.Append(nil, debug.SetGCPercent(-1)), 0o600); err != nil {
		os.Exit(1)
	}
	if err := os.Rename(runs+".new", runs); err != nil {
		os.Exit(1)
	}
	time.Sleep(time.Hour) // until it is killed
}

const childRuns = "CHILD_RUNS"

func TestAnEvaluationThatIsEndedSaysWhyAndLeavesNothing(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	t.Setenv(childRuns, runs)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("it is to stop")
	go func() {
		for _, err := os.Stat(runs); err != nil; _, err = os.Stat(runs) {
			time.Sleep(time.Millisecond)
		}
		cancel(why)
	}()
	if _, err := InChild(ctx, Request{}); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind: %v", left, err)
	}
	if percent, err := os.ReadFile(runs); err != nil || string(percent) != "1000" {
		t.Errorf("it runs with GOGC=%s, %v", percent, err)
	}
}

func TestLastLine(t *testing.T) {
	for output, want := range map[string]string{
		"":                                "it said nothing",
		"\n":                              "it said nothing",
		"I1 a line\npanic: no way on\n\n": "panic: no way on",
	} {
		if got := lastLine(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}
