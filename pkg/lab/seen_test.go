// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/version"
	_ "k8s.io/component-base/logs/json/register" // as the program has it: JSON has flags of its own

	"github.com/khw-controller/khw-controller/internal/golden"
)

// kubernetes is the release that go.mod requires.
func kubernetes(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\tk8s\.io/kubernetes (v\S+)`).FindSubmatch(data)
	if m == nil {
		t.Fatal("go.mod does not require k8s.io/kubernetes")
	}
	return string(m[1])
}

// TestTheTableIsComparedWithThisKubernetes wants the flags of the Kubernetes of go.mod
// to be among those that the table is compared with. -update adds them; the other tests
// say what the table lacks then.
func TestTheTableIsComparedWithThisKubernetes(t *testing.T) {
	release := kubernetes(t)
	for _, c := range Components() {
		var lines bytes.Buffer
		currentFlags(t, c).VisitAll(func(f *pflag.Flag) {
			line := strings.Join([]string{f.Name, f.Value.Type(), f.DefValue, f.Deprecated}, "\t")
			lines.WriteString(strings.TrimRight(line, "\t") + "\n")
		})
		golden.Equal(t, fmt.Sprintf("../seen/%s/%s.txt", release, c), lines.Bytes())
	}
	minor := map[uint]string{}
	for _, r := range releasesSeen() {
		v := version.MustParseSemantic(r)
		if newer := minor[v.Minor()]; newer != "" {
			t.Errorf("seen has %s and %s; remove the older one", newer, r)
		}
		minor[v.Minor()] = r
	}
}

// TestEveryFlagEverSeenIsKnown goes through the flags of all releases; --help and
// --version are the stock commands' own.
func TestEveryFlagEverSeenIsKnown(t *testing.T) {
	for _, r := range releasesSeen() {
		for _, c := range Components() {
			flags := seenFlags().flags[r][c]
			if len(flags) < 30 {
				t.Fatalf("%s of %s had %d flags", c, r, len(flags))
			}
			known := currentFlags(t, c)
			for name := range flags {
				if _, gone := removed(c, name); !gone && known.Lookup(name) == nil {
					t.Errorf("%s --%s of %s is neither known today nor in the table of what was removed", c, name, r)
				}
			}
		}
	}
}

// TestWhatWasRemovedIsNotSeenAfterwards compares when a flag was removed with the
// releases that had it.
func TestWhatWasRemovedIsNotSeenAfterwards(t *testing.T) {
	for _, c := range Components() {
		for _, r := range RemovedFlags(c) {
			last := seenIn(c, r.Name)
			if last == "" {
				continue
			}
			if removed := version.MustParseGeneric(r.Release); !version.MustParseSemantic(last).LessThan(removed) {
				t.Errorf("%s --%s is said to have been removed in %s, and %s has it", c, r.Name, r.Release, last)
			}
		}
	}
}
