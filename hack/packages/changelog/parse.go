// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// release is one section of CHANGELOG.md.
type release struct {
	// version is KUBERNETES+khwN, without the packages' own revision.
	version string
	date    time.Time
	// notes are what has changed for users, each in one line.
	notes []string
}

// heading is that of a release, such as "## 1.37.2+khw1 (2026-11-25)".
var heading = regexp.MustCompile(`^## ([0-9][^ ]*\+khw[0-9]+) \(([0-9]{4}-[0-9]{2}-[0-9]{2})\)$`)

const unreleasedHeading = "## Unreleased"

// link is a link in Markdown, of which a package shows the text.
var link = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)

// parse reads CHANGELOG.md: what came since the latest release, and the releases,
// latest first.
func parse(r io.Reader) (unreleased []string, releases []release, err error) {
	var notes *[]string // of the section, nil before the first
	inNote := false     // whether the line before belongs to a note
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		text, bullet := strings.CutPrefix(line, "- ")
		text = strings.TrimSpace(text)
		switch {
		case line == unreleasedHeading && notes == nil:
			notes = &unreleased
			inNote = false
		case strings.HasPrefix(line, "## "):
			rel, err := parseHeading(line)
			if err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", n, err)
			}
			releases = append(releases, rel)
			notes = &releases[len(releases)-1].notes
			inNote = false
		case notes == nil || text == "", !inNote && !bullet && strings.HasSuffix(text, ":"):
			inNote = false // nothing, or what a list is about
		case inNote && !bullet:
			(*notes)[len(*notes)-1] += " " + text
		default:
			*notes = append(*notes, text)
			inNote = true
		}
	}
	for _, rel := range releases {
		if len(rel.notes) == 0 {
			return nil, nil, fmt.Errorf("%s says nothing", rel.version)
		}
	}
	return unreleased, releases, lines.Err()
}

func parseHeading(line string) (release, error) {
	m := heading.FindStringSubmatch(line)
	if m == nil {
		return release{}, fmt.Errorf("%q is neither %q nor like %q", line, unreleasedHeading, "## 1.37.2+khw1 (2026-01-31)")
	}
	date, err := time.Parse(time.DateOnly, m[2])
	if err != nil {
		return release{}, err
	}
	return release{version: m[1], date: date}, nil
}

// plain is a note without what only Markdown means.
func plain(note string) string { return link.ReplaceAllString(note, "$1") }
