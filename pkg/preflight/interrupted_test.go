// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"os"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// TestAnInterruptedChangeIsNoError has a certificate renewed, but not its key: a
// start finishes that, so it is no reason not to start.
func TestAnInterruptedChangeIsNoError(t *testing.T) {
	in, f := sound(t)
	other := generated(t)
	for path, with := range map[string]string{f.Cert: other.Cert, atomicfiles.Staged(f.Key): other.Key} {
		copyFile(t, with, path)
	}
	if found := in.check(t.Context()); !strings.Contains(text(found), f.Key+": is not the key of") {
		t.Fatalf("without a journal: %s", text(found))
	}
	journal := in.Path(paths.Change)
	write(t, journal, `{"at":"2026-01-02T03:04:05Z","files":[{"path":"`+f.Cert+`","replace":true},{"path":"`+f.Key+`","replace":true}]}`)
	found := in.check(t.Context())
	for _, finding := range found {
		if finding.IsError() {
			t.Errorf("%s", finding)
		}
	}
	if !strings.Contains(text(found), journal+": a change of the lab's files was interrupted") {
		t.Errorf("got %s", text(found))
	}
	if finished, err := in.FinishChange(); err != nil || len(finished) != 2 {
		t.Errorf("finished %v, %v", finished, err)
	}
	if _, err := os.Stat(journal); !os.IsNotExist(err) {
		t.Errorf("the journal is still there: %v", err)
	}
	if found := in.check(t.Context()); strings.Contains(text(found), f.Key+": is not the key of") {
		t.Errorf("after it was finished: %s", text(found))
	}
}

func text(found []Finding) string {
	var lines []string
	for _, f := range found {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}
