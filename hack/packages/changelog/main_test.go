// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goreleaser/chglog"
)

const introduction = "# Changelog\n\nHow it is written.\n\n"

const releases = `## 1.37.2+khw2 (2026-02-03)

- One line.
- A [link](docs/a.md), and so many words that they do not all find a place on one line of a changelog
  that is read on a terminal.

## 1.37.1+khw1 (2026-01-31)

First version.
`

// write runs publish and returns both files' content.
func write(t *testing.T, changelog, version string) (deb, yaml string, err error) {
	t.Helper()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "CHANGELOG.md"), filepath.Join(dir, "changelog")
	if err := os.WriteFile(from, []byte(changelog), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := publish(from, version, to); err != nil {
		return "", "", err
	}
	var out [2]string
	for i, suffix := range []string{".Debian", ".yaml"} {
		data, err := os.ReadFile(to + suffix)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(data)
	}
	return out[0], out[1], nil
}

const released = `khw-controller (1.37.2+khw2-1) stable; urgency=medium

  * One line.
  * A link, and so many words that they do not all find a place on one line of a
    changelog that is read on a terminal.

 -- khw-controller authors <khw-controller@users.noreply.github.com>  Tue, 03 Feb 2026 00:00:00 +0000

khw-controller (1.37.1+khw1-1) stable; urgency=medium

  * First version.

 -- khw-controller authors <khw-controller@users.noreply.github.com>  Sat, 31 Jan 2026 00:00:00 +0000
`

const since = `khw-controller (1.37.2+khw2.7-1) stable; urgency=medium

  * NOTE

 -- khw-controller authors <khw-controller@users.noreply.github.com>  Tue, 14 Nov 2023 22:13:20 +0000

` + released

func TestDebian(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for name, test := range map[string]struct{ changelog, version, want string }{
		"a release":              {introduction + "## Unreleased\n\n" + releases, "1.37.2+khw2", released},
		"a commit after it":      {introduction + "## Unreleased\n\n" + releases, "1.37.2+khw2.7", strings.Replace(since, "NOTE", unchanged, 1)},
		"a commit users notice":  {introduction + "## Unreleased\n\n- Faster.\n\n" + releases, "1.37.2+khw2.7", strings.Replace(since, "NOTE", "Faster.", 1)},
		"lists with a heading":   {introduction + "## Unreleased\n\nWhat people type:\n\n- Faster.\n\n" + releases, "1.37.2+khw2.7", strings.Replace(since, "NOTE", "Faster.", 1)},
		"no unreleased section":  {introduction + releases, "1.37.2+khw2", released},
		"a heading at once":      {introduction + strings.Replace(releases, "terminal.\n\n", "terminal.\n", 1), "1.37.2+khw2", released},
		"a note with a new line": {introduction + "## Unreleased\n\n- Faster\n  starts.\n\n" + releases, "1.37.2+khw2.7", strings.Replace(since, "NOTE", "Faster starts.", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := write(t, test.changelog, test.version)
			if err != nil || got != test.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, test.want)
			}
		})
	}
}

func TestNfpmReadsTheSame(t *testing.T) {
	_, yaml, err := write(t, introduction+releases, "1.37.2+khw2")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "changelog.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := chglog.Parse(path)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v, want 2", len(entries), err)
	}
	if e := entries[0]; e.Semver != "1.37.2+khw2-1" || e.Date.Format("2006-01-02") != "2026-02-03" || len(e.Changes) != 2 ||
		!strings.HasPrefix(e.Changes[1].Note, "A link, ") {
		t.Errorf("got %+v", e)
	}
}

func TestMistakes(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for name, test := range map[string]struct{ changelog, want string }{
		"no release":          {introduction + "## Unreleased\n\n- Faster.\n", "has no release"},
		"no date":             {introduction + "## 1.37.2+khw2\n\n- Faster.\n", "line 5: "},
		"no such date":        {introduction + "## 1.37.2+khw2 (2026-02-31)\n\n- Faster.\n", "line 5: "},
		"no number":           {introduction + "## 1.37.2+khw (2026-02-03)\n\n- Faster.\n", "line 5: "},
		"nothing to be told":  {introduction + "## 1.37.2+khw2 (2026-02-03)\n", "1.37.2+khw2 says nothing"},
		"unreleased, but old": {introduction + releases + "\n## Unreleased\n", "line 15: "},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := write(t, test.changelog, "1.37.2+khw2"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}
