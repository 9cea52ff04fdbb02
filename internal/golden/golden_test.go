// SPDX-License-Identifier: Apache-2.0

package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// recorder is a test that remembers how it ends.
type recorder struct {
	testing.TB
	said string
}

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.said = fmt.Sprintf(format, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

// equal returns what Equal says of the file deep/a.txt.
func equal(t *testing.T, got string) string {
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		Equal(r, "deep/a.txt", []byte(got))
	}()
	return r.said
}

func TestEqual(t *testing.T) {
	t.Chdir(t.TempDir())
	if said := equal(t, "one\n"); said == "" {
		t.Error("a missing file equals something")
	}
	*update = true
	said := equal(t, "one\ntwo\n")
	*update = false
	if data, err := os.ReadFile(filepath.Join("testdata", "deep/a.txt")); said != "" || err != nil || string(data) != "one\ntwo\n" {
		t.Errorf("-update says %q and writes %q, %v", said, data, err)
	}
	if said := equal(t, "one\ntwo\n"); said != "" {
		t.Errorf("the same differs: %s", said)
	}
	want := "testdata/deep/a.txt differs; look at the difference, then run this test with -update\n- two\n+ 2\n- \n+ three\n+ \n"
	if said := equal(t, "one\n2\nthree\n"); said != want {
		t.Errorf("got %q, want %q", said, want)
	}
}
