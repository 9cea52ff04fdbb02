// SPDX-License-Identifier: Apache-2.0

// Package golden compares what a test gets with a file under testdata, and writes
// that file anew when the test is run with -update.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files under testdata anew")

// Equal fails t unless got is what testdata/name holds.
func Equal(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run this test with -update to write it", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; look at the difference, then run this test with -update\n%s", path, differences(string(want), string(got)))
	}
}

// differences lists the lines that differ, number by number.
func differences(want, got string) string {
	was, is := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for i := range max(len(was), len(is)) {
		switch {
		case i >= len(is):
			out.WriteString("- " + was[i] + "\n")
		case i >= len(was):
			out.WriteString("+ " + is[i] + "\n")
		case was[i] != is[i]:
			out.WriteString("- " + was[i] + "\n+ " + is[i] + "\n")
		}
	}
	return out.String()
}
