// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="7">
  <testsuite name="Kubernetes e2e suite">
    <properties><property name="SuiteSucceeded" value="false"></property></properties>
    <testcase name="[SynchronizedBeforeSuite]" status="passed" time="3"></testcase>
    <testcase name="[It] [sig-a] Thing does [Conformance]" status="passed" time="1.5"></testcase>
    <testcase name="[It] [sig-a] Thing breaks [Conformance]" status="failed" time="2"><failure message="" type="failed">it is broken</failure></testcase>
    <testcase name="[It] [sig-a] Thing panics [Conformance]" status="panicked" time="2"><error message="" type="panicked">no map</error></testcase>
    <testcase name="[It] [sig-b] Thing cannot [Conformance]" status="skipped" time="0"><skipped message="skipped - no such machine"></skipped></testcase>
    <testcase name="[It] [sig-b] Thing was not asked for [Conformance]" status="skipped" time="0"><skipped message="skipped"></skipped></testcase>
    <testcase name="[It] [sig-b] Thing is another&#39;s" status="passed" time="1"></testcase>
  </testsuite>
</testsuites>`

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReadDir(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadDir(dir); err == nil {
		t.Error("an empty directory is a report")
	}
	write(t, dir, ParallelFile, report)
	r, err := ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r) != 4 || r["[sig-a] Thing does [Conformance]"] != (Result{State: Passed, Took: 1500 * time.Millisecond}) {
		t.Errorf("read %v", r)
	}
	for name, want := range map[string]Result{
		"[sig-a] Thing breaks [Conformance]": {State: Failed, Why: "it is broken", Took: 2 * time.Second},
		"[sig-a] Thing panics [Conformance]": {State: Failed, Why: "no map", Took: 2 * time.Second},
		"[sig-b] Thing cannot [Conformance]": {State: Skipped, Why: "no such machine"},
	} {
		if r[name] != want {
			t.Errorf("%s is %v, want %v", name, r[name], want)
		}
	}

	write(t, dir, AgainFile, strings.Replace(report, `status="failed"`, `status="passed"`, 1))
	if r, err = ReadDir(dir); err != nil {
		t.Fatal(err)
	}
	if got := r["[sig-a] Thing breaks [Conformance]"].State; got != Again {
		t.Errorf("what passes the second time is %q", got)
	}

	write(t, dir, SerialFile, strings.Replace(report, `[SynchronizedBeforeSuite]" status="passed"`, `[SynchronizedBeforeSuite]" status="failed"`, 1))
	if _, err := ReadDir(dir); err == nil || !strings.Contains(err.Error(), "BeforeSuite") {
		t.Errorf("a suite that did not begin: %v", err)
	}
}

func TestFindings(t *testing.T) {
	c := Comparison{
		Stock: Report{
			"[sig-a] both":        {State: Passed},
			"[sig-a] again":       {State: Passed},
			"[sig-a] only stock":  {State: Again},
			"[sig-a] only ours":   {State: Failed},
			"[sig-b] neither":     {State: Failed},
			"[sig-b] no registry": {State: Failed},
			"[sig-b] not on ours": {State: Passed},
			"[sig-b] mended":      {State: Passed},
		},
		Ours: Report{
			"[sig-a] both":         {State: Passed},
			"[sig-a] again":        {State: Again},
			"[sig-a] only stock":   {State: Failed, Why: "refused"},
			"[sig-a] only ours":    {State: Passed},
			"[sig-b] neither":      {State: Skipped, Why: "one node"},
			"[sig-b] no registry":  {State: Failed},
			"[sig-b] not on stock": {State: Passed},
			"[sig-b] mended":       {State: Passed},
		},
		Known: []Known{{"no registry", "there is none"}, {"mended", "was true once"}, {"gone", "no such case"}},
	}
	want := []string{
		"stock passes, ours failed: [sig-a] only stock: refused",
		"neither passes, and nobody knows why: [sig-b] neither: one node",
		"not run on ours: [sig-b] not on ours",
		"not run on stock: [sig-b] not on stock",
		"known not to pass, and no case that neither passes has this name: mended",
		"known not to pass, and no case that neither passes has this name: gone",
	}
	if got := c.Findings(); !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	wantTable := `| | cases | pass on stock | pass on khw-controller |
|---|---:|---:|---:|
| sig-a | 4 | 3 | 3 |
| sig-b | 5 | 2 | 2 |
| all | 9 | 5 | 5 |
| of them when run again | | 1 | 1 |

- stock failed, ours passed: [sig-a] only ours
- stock passed when run again, ours failed: [sig-a] only stock
- stock failed, ours skipped: [sig-b] neither
- stock failed, ours failed: [sig-b] no registry: there is none
- stock passed, ours not run: [sig-b] not on ours
- stock not run, ours passed: [sig-b] not on stock
`
	if got := c.Table(); got != wantTable {
		t.Errorf("the table is\n%s\nwant\n%s", got, wantTable)
	}
	without := slices.DeleteFunc(want, func(finding string) bool { return strings.HasPrefix(finding, "not run on ") })
	if got := c.Shared().Findings(); !slices.Equal(got, without) {
		t.Errorf("of those on both\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(without, "\n"))
	}
}
