// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/khw-controller/khw-controller/test/monitoring"
)

const top = "../../.."

// durations are those of the rules: how long a condition has to hold, and the ranges
// that are looked at.
var durations = regexp.MustCompile(`(for: |\[)(\d+)([mh])\b`)

// shortened is the shipped file of rules, with a second for each minute of a duration and
// a minute for each hour. Nothing else is changed: neither a threshold nor a label.
func shortened(rules []byte) []byte {
	return durations.ReplaceAllFunc(rules, func(d []byte) []byte {
		unit := map[byte]byte{'m': 's', 'h': 'm'}
		return append(d[:len(d)-1:len(d)-1], unit[d[len(d)-1]])
	})
}

func shippedRules(t *testing.T) []byte {
	t.Helper()
	rules, err := os.ReadFile(filepath.Join(top, monitoring.RulesFile))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestEveryDurationIsShortened(t *testing.T) {
	rules, err := monitoring.Rules(top)
	if err != nil {
		t.Fatal(err)
	}
	short := string(shortened(shippedRules(t)))
	if left := regexp.MustCompile(`(for: *|\[)\d+([hdwy]|m\d)`).FindString(short); left != "" {
		t.Errorf("%q is left", left)
	}
	want := 0
	for _, r := range rules {
		if r.For != "" {
			want++
		}
		want += len(regexp.MustCompile(`\[`).FindAllString(r.Expr, -1))
	}
	if got := len(durations.FindAllString(string(shippedRules(t)), -1)); got != want {
		t.Errorf("%d durations are found, and the rules have %d", got, want)
	}
}

// notFired are the alerts that no fault fires here, with the reason.
var notFired = map[string]string{
	// A process that needs nearly all that it is allowed for ten minutes is killed, or has
	// the kernel read its binary again and again, with all others on the machine waiting. That
	// the limit is what the control group says, and what a flood takes of it, is seen by make
	// bench-edge; that the expression fires, by promtool.
	"KhwMemoryNearLimit": "it would make the machine crawl",
}

// TestEveryAlertHasAFault wants no alert to be forgotten that is shipped.
func TestEveryAlertHasAFault(t *testing.T) {
	rules, err := monitoring.Rules(top)
	if err != nil {
		t.Fatal(err)
	}
	var shipped, fired []string
	for _, r := range rules {
		if r.Alert != "" {
			shipped = append(shipped, r.Alert)
		}
	}
	for _, act := range acts {
		for _, f := range act {
			for alert := range f.fires {
				fired = append(fired, alert)
			}
		}
	}
	slices.Sort(shipped)
	slices.Sort(fired)
	for _, alert := range shipped {
		if slices.Contains(fired, alert) == (notFired[alert] != "") {
			t.Errorf("no fault here fires %s, or one does that cannot", alert)
		}
	}
	for i, alert := range fired {
		if !slices.Contains(shipped, alert) {
			t.Errorf("%s is not in %s", alert, monitoring.RulesFile)
		}
		if i > 0 && fired[i-1] == alert {
			t.Errorf("two faults fire %s", alert)
		}
	}
}
