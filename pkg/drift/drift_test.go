// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// track tracks one file that one component has read.
func track(path string) *Tracker {
	return New([]Use{{Path: path, By: "a", Flag: "f", Reload: AtRestart, Moment: EachRun}})
}

func TestContentIsCompared(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, path string)
		want   State // "" for the same
	}{
		"nothing":                  {func(*testing.T, string) {}, ""},
		"touched":                  {func(t *testing.T, p string) { must(t, os.Chtimes(p, time.Now(), time.Now().Add(time.Hour))) }, ""},
		"another mode":             {func(t *testing.T, p string) { must(t, os.Chmod(p, 0o640)) }, ""},
		"the same written again":   {func(t *testing.T, p string) { write(t, p, "old") }, ""},
		"the same in another file": {func(t *testing.T, p string) { write(t, p+".new", "old"); must(t, os.Rename(p+".new", p)) }, ""},
		"written over":             {func(t *testing.T, p string) { write(t, p, "new") }, Replaced},
		"another moved there":      {func(t *testing.T, p string) { write(t, p+".new", "new"); must(t, os.Rename(p+".new", p)) }, Replaced},
		"another with its old times": {func(t *testing.T, p string) {
			write(t, p, "new")
			must(t, os.Chtimes(p, time.Unix(1, 0), time.Unix(1, 0)))
		}, Replaced},
		"emptied":                  {func(t *testing.T, p string) { write(t, p, "") }, Replaced},
		"removed":                  {func(t *testing.T, p string) { must(t, os.Remove(p)) }, Gone},
		"a directory in its place": {func(t *testing.T, p string) { must(t, os.Remove(p)); must(t, os.Mkdir(p, 0o700)) }, Unreadable},
		"a loop of links":          {func(t *testing.T, p string) { must(t, os.Remove(p)); must(t, os.Symlink(p, p)) }, Unreadable},
		"its link leads elsewhere": {func(t *testing.T, p string) {
			write(t, p+".new", "new")
			must(t, os.Remove(p))
			must(t, os.Symlink(p+".new", p))
		}, Replaced},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, "old")
			tracker := track(path)
			before := tracker.Fingerprint()
			test.change(t, path)
			got := tracker.Changes()
			switch {
			case test.want == "" && (len(got) > 0 || tracker.Fingerprint() != before):
				t.Errorf("got %+v", got)
			case test.want != "" && (len(got) != 1 || got[0].State != test.want || got[0].Path != path):
				t.Errorf("got %+v, want %s", got, test.want)
			case test.want != "" && tracker.Fingerprint() == before:
				t.Error("the fingerprint is the same")
			}
			if test.want == Unreadable && (len(got) == 0 || got[0].Reason == "") {
				t.Errorf("got %+v, want a reason", got)
			}
			if test.want == Replaced && (len(got) == 0 || time.Since(got[0].At) > time.Minute) {
				t.Errorf("got %+v, want the time of the change", got)
			}
		})
	}
}

func TestAFileThatWasNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	tracker := track(path)
	if got := tracker.Changes(); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
	write(t, path, "new")
	if got := tracker.Changes(); len(got) != 1 || got[0].State != Added {
		t.Errorf("got %+v, want %s", got, Added)
	}
}

func TestWhatIsPutBackIsNoChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	tracker := track(path)
	for _, text := range []string{"new", "old", "newer", "old"} {
		write(t, path, text) // within the resolution of its times
		if got := tracker.Changes(); (len(got) > 0) != (text != "old") {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func TestEachUserHasReadItAtATimeOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	tracker := New([]Use{{Path: path, By: "a", Moment: EachRun}, {Path: path, By: "a", Moment: EachTerm}, {Path: path, By: "b", Moment: EachRun}, {Path: path, By: "a", Moment: Once}})
	write(t, path, "new")
	for _, step := range []struct {
		by   string
		at   []Moment
		left int
	}{{"c", []Moment{EachRun}, 4}, {"a", []Moment{EachRun}, 3}, {"b", []Moment{EachTerm}, 3}, {"a", []Moment{EachTerm, EachRun}, 2}, {"b", []Moment{EachRun}, 1}, {"a", []Moment{Once}, 0}} {
		tracker.Loaded(step.by, step.at...)
		if got := tracker.Changes(); len(got) != step.left {
			t.Errorf("%s has read its files of %s, and %d differ, want %d", step.by, step.at, len(got), step.left)
		}
	}
}

func TestAFileThatIsReadAgain(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "other")
	tracker := New([]Use{{Path: path, By: "a", Moment: EachRun}, {Path: other, By: "a", Moment: EachRun}})
	write(t, path, "new")
	write(t, other, "new")
	tracker.Reread(path)
	if got := tracker.Changes(); len(got) != 1 || got[0].Path != other {
		t.Errorf("got %+v, want the other one", got)
	}
}

// TestAnUnchangedFileIsNotRead makes the content of a settled file another one
// without its signature saying so: who reads it would notice.
func TestAnUnchangedFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	tracker := track(path)
	later := time.Now().Add(time.Minute)
	tracker.now = func() time.Time { return later }
	tracker.Changes() // settles it
	c := tracker.seen[path]
	if !c.settled {
		t.Fatal("a file that was written a minute ago is not settled")
	}
	c.sum[0]++
	tracker.seen[path] = c
	if got := tracker.Changes(); len(got) != 1 {
		t.Error("it was read again")
	}
}
