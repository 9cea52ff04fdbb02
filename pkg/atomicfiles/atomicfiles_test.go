// SPDX-License-Identifier: Apache-2.0

package atomicfiles

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/internal/filetree"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// set is a directory in which a and b are there, to be replaced, and c is not.
func set(t *testing.T) (journal string, files []File) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o640); err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Path: filepath.Join(dir, name), Mode: 0o600, Data: []byte("new"), Replace: true})
	}
	return filepath.Join(dir, "journal"), append(files, File{Path: filepath.Join(dir, "below/c"), Mode: 0o600, Data: []byte("new")})
}

var (
	before = map[string]string{"a": "old", "b": "old"}
	after  = map[string]string{"a": "new", "a.20260102T030405Z": "old", "b": "new", "b.20260102T030405Z": "old", "below/c": "new"}
)

func TestWriteKeepsWhatItReplaces(t *testing.T) {
	journal, files := set(t)
	if err := Write(journal, files, now); err != nil {
		t.Fatal(err)
	}
	if got := filetree.Contents(t, filepath.Dir(journal)); !maps.Equal(got, after) {
		t.Errorf("got %v, want %v", got, after)
	}
	for name, want := range map[string]fs.FileMode{"a": 0o640, "a.20260102T030405Z": 0o640, "below/c": 0o600} {
		info, err := os.Stat(filepath.Join(filepath.Dir(journal), name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s has the mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	// A second time in the same second: what is kept already is not lost.
	if err := Write(journal, files[:2], now); err != nil {
		t.Fatal(err)
	}
	if got := filetree.Contents(t, filepath.Dir(journal)); got["a.20260102T030405Z"] != "old" || got["a.20260102T030406Z"] != "new" {
		t.Errorf("got %v", got)
	}
}

func TestWhatIsDiscardedIsNotKept(t *testing.T) {
	journal, files := set(t)
	files[1].Discard = true
	if err := Write(journal, files, now); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(after)
	delete(want, "b.20260102T030405Z")
	if got := filetree.Contents(t, filepath.Dir(journal)); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// errInterrupted is what a test ends a Write with, as a crash does: nothing is taken
// back.
var errInterrupted = errors.New("interrupted")

// interrupt runs f up to the n-th step, and returns the steps that it got to.
func interrupt(t *testing.T, n int, f func() error) (steps []string) {
	t.Helper()
	step = func(s string) {
		if steps = append(steps, s); len(steps) == n {
			panic(errInterrupted)
		}
	}
	defer func() { step = func(string) {} }()
	defer func() {
		r := recover()
		if err, ok := r.(error); r != nil && (!ok || !errors.Is(err, errInterrupted)) {
			panic(r)
		}
	}()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// TestInterruptedAtEachStep interrupts Write at each step, then what finishes it
// at each of its own, and wants everything or nothing at the end.
func TestInterruptedAtEachStep(t *testing.T) {
	var all []string
	for n := 1; ; n++ {
		journal, files := set(t)
		dir := filepath.Dir(journal)
		steps := interrupt(t, n, func() error { return Write(journal, files, now) })
		if len(steps) < n {
			all = steps
			break
		}
		last := steps[n-1]
		decided := slices.Contains(steps, "decided")
		if Interrupted(journal) != decided {
			t.Errorf("after %s: interrupted is %v", last, Interrupted(journal))
		}
		for m := 1; m < 3; m++ {
			interrupt(t, m, func() error { _, err := Finish(journal); return err })
		}
		finished, err := Finish(journal)
		if err != nil {
			t.Fatal(err)
		}
		got := filetree.Contents(t, dir)
		want := after
		if !decided {
			want = maps.Clone(before)
			for _, f := range files { // left behind, and of no effect
				name, _ := filepath.Rel(dir, Staged(f.Path))
				want[name] = "new"
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("after %s: got %v, want %v (finished %v)", last, got, want, finished)
		}
		if decided {
			continue
		}
		// The same command again does it all.
		if err := Write(journal, files, now); err != nil {
			t.Fatal(err)
		}
		if got := filetree.Contents(t, dir); !maps.Equal(got, after) {
			t.Errorf("after %s, again: got %v, want %v", last, got, after)
		}
	}
	if len(all) < 8 {
		t.Errorf("only the steps %q were interrupted", all)
	}
}

// TestWriteFinishesWhatWasInterrupted has another set written after a crash.
func TestWriteFinishesWhatWasInterrupted(t *testing.T) {
	journal, files := set(t)
	interrupt(t, 3, func() error { return Write(journal, files, now) })
	other := File{Path: filepath.Join(filepath.Dir(journal), "d"), Data: []byte("new"), Mode: 0o600}
	if err := Write(journal, []File{other}, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(after)
	want["d"] = "new"
	if got := filetree.Contents(t, filepath.Dir(journal)); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAllOrNothing(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, files []File) []File
		says  string
	}{
		"a file that is not to be replaced": {func(_ *testing.T, f []File) []File { f[1].Replace = false; return f }, "b exists and is not overwritten"},
		"nothing to replace":                {func(_ *testing.T, f []File) []File { f[2].Replace = true; return f }, "c is not there to be replaced"},
		"a directory":                       {func(_ *testing.T, f []File) []File { f[1].Path = filepath.Dir(f[1].Path); return f }, "is not a regular file"},
		"below a file":                      {func(_ *testing.T, f []File) []File { f[2].Path = filepath.Join(f[0].Path, "c"); return f }, "not a directory"},
		"taken after all were staged": {func(t *testing.T, f []File) []File {
			step = func(s string) {
				if s == "decided" {
					if err := os.WriteFile(f[2].Path, []byte("mine"), 0o600); err != nil {
						t.Error(err)
					}
				}
			}
			return f
		}, "c exists and is not overwritten"},
	} {
		t.Run(name, func(t *testing.T) {
			journal, files := set(t)
			defer func() { step = func(string) {} }()
			err := Write(journal, test.spoil(t, files), now)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error with %q", err, test.says)
			}
			got := filetree.Contents(t, filepath.Dir(journal))
			delete(got, "below/c") // somebody else's
			for path := range got {
				if before[path] != got[path] {
					t.Errorf("left behind: %s: %q", path, got[path])
				}
			}
		})
	}
}

func TestADamagedJournalIsNamed(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	for _, text := range []string{"", "x", `{"files":[{"path":""}]}`, `{"files":[{"path":"a/"}]}`} {
		if err := os.WriteFile(journal, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Finish(journal); err == nil || !strings.Contains(err.Error(), journal) {
			t.Errorf("%q: got %v, want an error that names the file", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"at":"2026-01-02T03:04:05Z","files":[{"path":"/a","replace":true}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := parse(data)
		if err != nil {
			return
		}
		for _, file := range j.Files {
			if file.Path == "" || filepath.Base(file.Path) == "" {
				t.Errorf("%q became %+v", data, j)
			}
		}
	})
}
