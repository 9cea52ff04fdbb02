// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "one")
	write("b", "two")
	entries, err := Files([]string{in("a"), in("b")})
	if err != nil {
		t.Fatal(err)
	}
	if err := Add(in("made"), append([]Entry{Directory(in("etcd"))}, entries...)); err != nil {
		t.Fatal(err)
	}
	all, err := Read(in("made"))
	if err != nil || len(all) != 3 {
		t.Fatalf("got %v, %v", all, err)
	}
	if !all.Has(in("a")) || all.Has(in("c")) || all.Has(in("made")) {
		t.Errorf("of %v: a %v, c %v", all, all.Has(in("a")), all.Has(in("c")))
	}
	write("a.old", "one")
	write("a", "other")
	if all.Has(in("a")) {
		t.Error("it has a file that is not as it was made")
	}
	all = all.Replace(in("a"), []byte("other"), in("a.old"))
	for _, name := range []string{"a", "a.old", "b"} {
		if !all.Has(in(name)) {
			t.Errorf("%s is not in %v", name, all)
		}
	}
	write("b", "third")
	if all = all.Replace(in("b"), []byte("third"), ""); len(all) != 4 || !all.Has(in("b")) {
		t.Errorf("after one that is kept nowhere: %v", all)
	}
	// As postrm reads it.
	_, files, _ := strings.Cut(string(all.Bytes()), "\n")
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet")
	check.Stdin = strings.NewReader(files)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum does not agree: %v\n%s\n%s", err, out, files)
	}
}

func TestWithoutAnInventoryNothingWasMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made")
	if all, err := Read(path); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v", all, err)
	}
	if err := os.WriteFile(path, []byte("\n\nno entry\n  x\nsum  \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := Read(path); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v", all, err)
	}
}
