// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/drift"
)

func TestFilesInWords(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.FixedZone("", 3600))
	change := func(by, flag string, r drift.Reload, s drift.State) drift.Change {
		return drift.Change{Use: drift.Use{Path: "/k/f", By: by, Flag: flag, Reload: r}, State: s, At: at}
	}
	unreadable := change("a", "x", drift.ByItself, drift.Unreadable)
	unreadable.Reason, unreadable.At = "is a directory", time.Time{}
	for name, test := range map[string]struct {
		changes []drift.Change
		want    []string
	}{
		"none":                 {nil, nil},
		"taken over":           {[]drift.Change{change("a", "x", drift.ByItself, drift.Replaced), change("a", "x", drift.ByItself, drift.Added)}, nil},
		"one user":             {[]drift.Change{change("a", "x", drift.AtRestart, drift.Replaced)}, []string{"/k/f was replaced on 2026-05-04 02:02:01 UTC; a (x) uses what was there before; put it in force: systemctl restart khw-controller"}},
		"some take it over":    {[]drift.Change{change("a", "x", drift.ByItself, drift.Replaced), change("b", "y", drift.AtRestart, drift.Replaced)}, []string{"/k/f was replaced on 2026-05-04 02:02:01 UTC; b (y) uses what was there before; put it in force: systemctl restart khw-controller"}},
		"several users":        {[]drift.Change{change("a", "x", drift.AtRestart, drift.Replaced), change("b", "y", drift.AtRestart, drift.Replaced), change("b", "y", drift.AtRestart, drift.Replaced)}, []string{"/k/f was replaced on 2026-05-04 02:02:01 UTC; a (x), b (y) use what was there before; put it in force: systemctl restart khw-controller"}},
		"reload":               {[]drift.Change{change("a", "x", drift.OnHangup, drift.Added)}, []string{"/k/f was added on 2026-05-04 02:02:01 UTC; a (x) uses what was there before; put it in force: systemctl reload khw-controller"}},
		"reload is not enough": {[]drift.Change{change("a", "x", drift.OnHangup, drift.Replaced), change("b", "y", drift.AtRestart, drift.Replaced)}, []string{"/k/f was replaced on 2026-05-04 02:02:01 UTC; a (x), b (y) use what was there before; put it in force: systemctl restart khw-controller"}},
		"gone":                 {[]drift.Change{change("a", "x", drift.ByItself, drift.Gone)}, []string{"/k/f is gone; a (x) uses what it held; put it back"}},
		"unreadable":           {[]drift.Change{unreadable}, []string{"/k/f cannot be read any more: is a directory; a (x) uses what it held; correct that"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Report{Files: Files(test.changes)}
			if _, got := Findings(r); !slices.Equal(got, append([]string{}, test.want...)) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestWhatTheNextStartFinds(t *testing.T) {
	r := &Report{NextStart: []Foreseen{{true, "/k/f: is empty; fill it"}, {false, "/k/g: is old; renew it"}}, NeedRestart: []string{"shutdown-delay"}}
	_, got := Findings(r)
	want := []string{
		"the next start will be refused: /k/f: is empty; fill it",
		"the next start will warn: /k/g: is old; renew it",
		"shutdown-delay has another value in the config file since the start; put it in force: systemctl restart khw-controller",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
