// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const top = "../.."

const runbookURL = "https://github.com/khw-controller/khw-controller/blob/main/" + RunbookFile + "#"

func TestSeries(t *testing.T) {
	for expr, want := range map[string][]string{
		`up{job="kube-apiserver"} == 0`: {"up"},
		`max by (cluster, component) (khw_a{component=~"b|c", d="e)"}) == 0 and on (x) time() - f:g > 2 * inf`:     {"f:g", "khw_a"},
		`histogram_quantile(0.99, sum by (le) (rate(x_bucket{instance=~"$instance"}[$__rate_interval]))) / y or z`: {"x_bucket", "y", "z"},
	} {
		if got := Series(expr); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", expr, got, want)
		}
	}
}

// TestTheRunbookHasEverything wants a section for each alert, to which the alert
// leads, and for each word of status; none about anything else; and in each what to
// type.
func TestTheRunbookHasEverything(t *testing.T) {
	sections, err := Runbook(top)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Rules(top)
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]string{} // by title, what it is
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		about[r.Alert] = "an alert"
		if want := runbookURL + (Section{Title: r.Alert}).Anchor(); r.Annotations["runbook_url"] != want {
			t.Errorf("%s leads to %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if r.Annotations["summary"] == "" || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has no summary, or the severity %q", r.Alert, r.Labels["severity"])
		}
	}
	for word, types := range statusWords(t) {
		about[word] = "a word of status (" + strings.Join(types, ", ") + ")"
	}
	command := regexp.MustCompile("```sh\n|`[a-z/]")
	seen := map[string]bool{}
	for _, s := range sections {
		if about[s.Title] == "" {
			t.Errorf("%s has a section about %s, which is no alert and no word of status", RunbookFile, s.Title)
		}
		if seen[s.Anchor()] {
			t.Errorf("%s has two sections about %s", RunbookFile, s.Title)
		}
		seen[s.Anchor()] = true
		if !command.MatchString(s.Text) && !strings.Contains(s.Text, "Nothing to type") {
			t.Errorf("the section about %s does not say what to type", s.Title)
		}
		for _, link := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(s.Text, -1) {
			if !slices.ContainsFunc(sections, func(o Section) bool { return o.Anchor() == link[1] }) {
				t.Errorf("the section about %s leads to #%s, which is not there", s.Title, link[1])
			}
		}
	}
	for title, what := range about {
		if !seen[Section{Title: title}.Anchor()] {
			t.Errorf("%s has no section about %s, %s", RunbookFile, title, what)
		}
	}
}

// statusTypes are the types whose constants are words that `status` says.
var statusTypes = map[string][]string{
	"pkg/status":     {"Health"},
	"pkg/supervisor": {"State"},
	"pkg/healthz":    {"Verdict"},
	"pkg/server":     {"healthz.Verdict"},
	"pkg/drift":      {"State"},
	"pkg/etcdclient": {"Role"},
}

// statusWords returns these constants' values, as the source has them, with their types.
func statusWords(t *testing.T) map[string][]string {
	t.Helper()
	// In place of a Role, and of what is audited.
	words := map[string][]string{"no leader": {"pkg/status"}, "nothing is audited": {"pkg/status"}}
	for dir, types := range statusTypes {
		files, err := filepath.Glob(filepath.Join(top, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok || len(spec.Values) != 1 || !slices.Contains(types, typeName(spec.Type)) {
					return true
				}
				value, ok := spec.Values[0].(*ast.BasicLit)
				if !ok {
					return true
				}
				word, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				words[word] = append(words[word], dir+"."+typeName(spec.Type))
				found++
				return true
			})
		}
		if found < 2 {
			t.Errorf("%s has %d constants of %v", dir, found, types)
		}
	}
	return words
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	}
	return ""
}

// TestEachAlertIsTested wants a test in which it fires and one in which it does not.
// promtool carries them out in test/e2e/metrics.
func TestEachAlertIsTested(t *testing.T) {
	rules, err := Rules(top)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := Tests(top)
	if err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests {
		for _, r := range test.Rules {
			if len(r.Expect) > 0 {
				fires[r.Alert] = true
			} else {
				silent[r.Alert] = true
			}
		}
	}
	for _, r := range rules {
		if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert]) {
			t.Errorf("%s is not tested where it fires, or not where it does not", r.Alert)
		}
	}
}

func TestTheDashboardShowsWhatIsAlertedOn(t *testing.T) {
	used, err := Used(top)
	if err != nil {
		t.Fatal(err)
	}
	if len(used) < 30 {
		t.Errorf("rules and dashboard name %d series only", len(used))
	}
	for name, by := range used {
		if !strings.HasPrefix(name, "khw_") {
			continue
		}
		if !slices.ContainsFunc(by, func(b string) bool { return strings.HasPrefix(b, "panel ") }) {
			t.Errorf("%s is in no panel, and in %v", name, by)
		}
	}
}
