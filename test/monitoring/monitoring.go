// SPDX-License-Identifier: Apache-2.0

// Package monitoring reads what the packages ship for Prometheus and Grafana, and
// the runbook that explains it, so that tests can hold them together: with each
// other here, with what a controller really shows in test/e2e/metrics.
package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// The files, from the top of the repository.
const (
	RulesFile     = "packaging/prometheus/khw-controller.rules.yaml"
	TestsFile     = "packaging/prometheus/khw-controller.rules.test.yaml"
	DashboardFile = "packaging/grafana/khw-controller.json"
	RunbookFile   = "docs/runbook.md"
)

// Rule is an alert, or a series that is recorded for others.
type Rule struct {
	Alert       string            `json:"alert"`
	Record      string            `json:"record"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// Rules returns all rules below top, the repository.
func Rules(top string) ([]Rule, error) {
	var file struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []Rule `json:"rules"`
		} `json:"groups"`
	}
	if err := read(filepath.Join(top, RulesFile), &file); err != nil {
		return nil, err
	}
	var all []Rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

// Test is one case of the alerts' tests.
type Test struct {
	Name  string `json:"name"`
	Rules []struct {
		Alert  string `json:"alertname"`
		Expect []any  `json:"exp_alerts"`
	} `json:"alert_rule_test"`
}

// Tests returns the tests of the alerts.
func Tests(top string) ([]Test, error) {
	var file struct {
		Tests []Test `json:"tests"`
	}
	err := read(filepath.Join(top, TestsFile), &file)
	return file.Tests, err
}

func read(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Panel is what one panel of the dashboard shows.
type Panel struct {
	Title       string
	Expressions []string
}

// Panels returns the dashboard's panels, those in rows too, and one for its variables.
func Panels(top string) ([]Panel, error) {
	type panel struct {
		Title   string `json:"title"`
		Type    string `json:"type"`
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	}
	var file struct {
		Panels     []panel `json:"panels"`
		Templating struct {
			List []struct {
				Type       string `json:"type"`
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
	}
	path := filepath.Join(top, DashboardFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []Panel
	for _, p := range file.Panels {
		if p.Type == "row" {
			continue
		}
		out := Panel{Title: p.Title}
		for _, t := range p.Targets {
			out.Expressions = append(out.Expressions, t.Expr)
		}
		all = append(all, out)
	}
	variables := Panel{Title: "variables"}
	for _, v := range file.Templating.List {
		if series, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			variables.Expressions = append(variables.Expressions, series[:strings.LastIndex(series, ",")])
		}
	}
	return append(all, variables), nil
}

// What of an expression is no name of a series: strings, labels in braces, durations
// in brackets, groupings, Grafana's variables.
var (
	quoted    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	matchers  = regexp.MustCompile(`\{[^}]*\}`)
	windows   = regexp.MustCompile(`\[[^\]]*\]`)
	groupings = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	variables = regexp.MustCompile(`\$\w+|\$\{[^}]*\}`)
	words     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
)

// keywords are PromQL's operators that are words.
var keywords = []string{"and", "or", "unless", "bool", "offset", "inf", "nan"}

// Series returns the names of the series in a PromQL expression. A word that it does
// not know is one.
func Series(expr string) []string {
	for _, e := range []*regexp.Regexp{quoted, variables, matchers, windows, groupings} {
		expr = e.ReplaceAllString(expr, " ")
	}
	found := map[string]bool{}
	for _, w := range words.FindAllString(expr, -1) {
		if name := strings.TrimSpace(w); !strings.HasSuffix(name, "(") && !slices.Contains(keywords, strings.ToLower(name)) {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Used returns every series that rules and dashboard name and that no rule records,
// each with who names it.
func Used(top string) (map[string][]string, error) {
	rules, err := Rules(top)
	if err != nil {
		return nil, err
	}
	panels, err := Panels(top)
	if err != nil {
		return nil, err
	}
	used := map[string][]string{}
	use := func(by string, expressions ...string) {
		for _, e := range expressions {
			for _, name := range Series(e) {
				if !slices.Contains(used[name], by) {
					used[name] = append(used[name], by)
				}
			}
		}
	}
	for _, r := range rules {
		use("rule "+r.Alert+r.Record, r.Expr)
	}
	for _, p := range panels {
		use("panel "+p.Title, p.Expressions...)
	}
	for _, r := range rules {
		delete(used, r.Record)
	}
	return used, nil
}

// Section is one section of the runbook.
type Section struct{ Title, Text string }

// Anchor is what a link to the section ends with, as GitHub makes it.
func (s Section) Anchor() string { return strings.ReplaceAll(strings.ToLower(s.Title), " ", "-") }

// Runbook returns the runbook's sections: those of the third level, one for each alert
// and each word.
func Runbook(top string) ([]Section, error) {
	data, err := os.ReadFile(filepath.Join(top, RunbookFile))
	if err != nil {
		return nil, err
	}
	var all []Section
	for _, part := range strings.Split(string(data), "\n### ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		all = append(all, Section{title, text})
	}
	return all, nil
}
