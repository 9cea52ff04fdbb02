// SPDX-License-Identifier: Apache-2.0

package memfd

import (
	"os"
	"strings"
	"testing"
)

func TestFileIsReadAtItsPathUntilItIsClosed(t *testing.T) {
	f, err := New("ca.pem", []byte(strings.Repeat("long", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Replace([]byte("short")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // each reader starts at the beginning
		if data, err := os.ReadFile(f.Path()); err != nil || string(data) != "short" {
			t.Errorf("got %q, %v", data, err)
		}
	}
	target, err := os.Readlink(f.Path())
	if err != nil || !strings.Contains(target, "memfd:ca.pem") {
		t.Errorf("the path leads to %s, %v", target, err)
	}
	f.Close()
	if after, err := os.Readlink(f.Path()); err == nil && after == target {
		t.Error("the file is still there")
	}
}
