// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// chain are the functions that every request and every goroutine goes through, which
// would be all that a list by cumulated time shows.
const chain = `^(runtime|internal/runtime|sync|syscall|net/http|golang.org/x/net/http2|go.opentelemetry.io/contrib|github.com/emicklei|` +
	`k8s.io/apiserver/pkg/(server|endpoints|util/flowcontrol)|k8s.io/kube-aggregator/pkg/apiserver|k8s.io/apimachinery/pkg/util/wait|` +
	`github.com/khw-controller/khw-controller/pkg/supervisor)\b`

// tables are what is printed of a phase.
var tables = []struct {
	title, kind string
	args        []string
	labels      bool // whether the profile has the components
}{
	{"CPU by function", "cpu", []string{"-nodecount=8"}, true},
	{"CPU with what is called, without the handlers that all requests go through", "cpu", []string{"-cum", "-nodecount=12", "-hide=" + chain}, false},
	{"live heap", "heap", []string{"-sample_index=inuse_space", "-nodecount=6"}, false},
	{"goroutines", "goroutine", []string{"-cum", "-nodecount=6", "-hide=" + chain}, true},
}

// summarize prints where a phase's CPU time and memory went.
func (p *profiler) summarize(ctx context.Context, w io.Writer, phase string) error {
	for _, t := range tables {
		path := p.path(phase, t.kind)
		out, err := pprof(ctx, append(append([]string{"-top"}, t.args...), path)...)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n--- %s: %s\n%s", t.title, path, top(out))
		if !t.labels {
			continue
		}
		if out, err = pprof(ctx, "-tags", path); err != nil {
			return err
		}
		fmt.Fprintf(w, "by component: %s\n", components(out))
	}
	return nil
}

// top leaves of pprof's output the total and the lines.
func top(out string) string {
	kept := ""
	for line := range strings.Lines(out) {
		indented := strings.HasPrefix(line, " ") && !strings.HasPrefix(strings.TrimSpace(line), "hide=")
		if indented || strings.HasPrefix(line, "Showing nodes") {
			kept += line
		}
	}
	return kept
}

// tag is a line of pprof -tags: how much, and what share of it has a value.
var tag = regexp.MustCompile(`^\s+(\S+) \(\s*(\S+)\): (.+)$`)

// components reads what pprof -tags says of the components.
func components(out string) string {
	var found []string
	in := false
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ": Total"); ok {
			in = name == supervisor.Label
		}
		if m := tag.FindStringSubmatch(line); in && m != nil {
			found = append(found, fmt.Sprintf("%s %s (%s)", m[3], m[1], m[2]))
		}
	}
	if len(found) == 0 {
		return "none is known"
	}
	return strings.Join(found, ", ")
}
