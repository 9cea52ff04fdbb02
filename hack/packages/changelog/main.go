// SPDX-License-Identifier: Apache-2.0

// Command changelog turns CHANGELOG.md into what packages carry.
// Usage: changelog CHANGELOG.md VERSION OUTPUT, which makes OUTPUT.yaml, for nfpm to
// put into an rpm, and OUTPUT.Debian; VERSION is that of the packages, and
// SOURCE_DATE_EPOCH its date where it is no release.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/goreleaser/chglog"
)

const (
	name       = "khw-controller"
	packager   = "khw-controller authors <khw-controller@users.noreply.github.com>"
	revision   = "-1" // of the packaging of one version
	unchanged  = "Nothing has changed for users since the version below."
	noteColumn = 76 // of a note's end; with the indentation it is 80
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: changelog CHANGELOG.md VERSION OUTPUT")
		os.Exit(2)
	}
	if err := publish(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintf(os.Stderr, "changelog: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func publish(from, version, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	unreleased, releases, err := parse(f)
	if err != nil {
		return err
	}
	if len(releases) == 0 {
		return fmt.Errorf("has no release")
	}
	if releases[0].version != version {
		seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		if len(unreleased) == 0 {
			unreleased = []string{unchanged}
		}
		releases = append([]release{{version, time.Unix(seconds, 0).UTC(), unreleased}}, releases...)
	}
	entries := entries(releases)
	if err := entries.Save(to + ".yaml"); err != nil {
		return err
	}
	text, err := debian(entries)
	if err != nil {
		return err
	}
	return os.WriteFile(to+".Debian", []byte(text), 0o644)
}

// entries are the releases as nfpm wants them.
func entries(releases []release) chglog.ChangeLogEntries {
	var all chglog.ChangeLogEntries
	for _, r := range releases {
		entry := &chglog.ChangeLog{Semver: r.version + revision, Date: r.date, Packager: packager}
		for _, note := range r.notes {
			entry.Changes = append(entry.Changes, &chglog.ChangeLogChange{Note: wrap(plain(note))})
		}
		all = append(all, entry)
	}
	return all
}
