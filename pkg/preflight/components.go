// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/evaluation"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkComponents has the components themselves evaluate their flags, and all the
// files that those name, in a child process.
func checkComponents(ctx context.Context, in input) []Finding {
	request, done, err := in.Evaluation()
	if err != nil {
		return failure("the components' flags", "cannot be evaluated: "+connerr.OneLine(err), "correct what the message names")
	}
	defer done()
	failures, err := evaluation.InChild(ctx, request)
	if err != nil {
		return failure("the components' flags", "cannot be evaluated: "+connerr.OneLine(err), "see what the message names; khw-controller flags shows every flag")
	}
	var found []Finding
	for _, f := range failures {
		found = append(found, failure(string(f.Component), f.Reason, fixFor(in, f))...)
	}
	return sameForAll(found)
}

// sameForAll keeps one of the findings that all components have in the same words:
// what holds for the process is told once.
func sameForAll(found []Finding) []Finding {
	var kept []Finding
	for _, f := range found {
		if !slices.ContainsFunc(kept, func(k Finding) bool { return k.Problem == f.Problem }) {
			kept = append(kept, f)
		}
	}
	return kept
}

// flagName matches a flag in a component's error.
var flagName = regexp.MustCompile(`--([a-z][a-z0-9-]*[a-z0-9])`)

// encryptionField matches an error that begins with a field of the encryption
// configuration: it names no file (k8s.io/apiserver/pkg/apis/apiserver/validation).
var encryptionField = regexp.MustCompile(`^resources(\[\d+\])?[.:]`)

// fixFor names the flag to correct: the one that the component's error names, or
// speaks of the value of; else all that are not the lab's.
func fixFor(in input, f evaluation.Failure) string {
	if encryptionField.MatchString(f.Reason) && in.EncryptionConfig.Path != "" {
		return "correct " + in.EncryptionConfig.String()
	}
	named := ""
	if m := flagName.FindStringSubmatch(f.Reason); m != nil {
		named = m[1]
	}
	var requested []string
	for _, s := range in.Flags[f.Component] {
		if s.Source == lab.FromLab || s.Source == lab.FromAdded || s.Source == plan.FromEmbeddedEtcd {
			continue
		}
		flag := plan.ArgFlag(f.Component, s.Name)
		if s.Source == plan.ProcessWide {
			flag = "--" + s.Name
		}
		if s.Name == named {
			return "correct " + flag
		}
		if named == "" && speaksOf(f.Reason, s) {
			return "correct " + flag
		}
		if !slices.Contains(requested, flag) {
			requested = append(requested, flag)
		}
	}
	if named != "" {
		return "correct " + plan.ArgFlag(f.Component, named)
	}
	if len(requested) == 0 {
		return "see khw-controller flags for every flag of it"
	}
	return "correct " + strings.Join(requested, " or ")
}

// speaksOf reports whether a reason has the words of a flag's name in it, in
// whatever spelling, or a part of its value.
func speaksOf(reason string, s lab.Setting) bool {
	words := slices.DeleteFunc(strings.Split(s.Name, "-"), func(w string) bool { return len(w) < 3 || w == "file" || w == "config" })
	missing := func(word string) bool { return !strings.Contains(strings.ToLower(reason), word) }
	if len(words) > 0 && !slices.ContainsFunc(words, missing) {
		return true
	}
	return slices.ContainsFunc(strings.FieldsFunc(s.Value, func(r rune) bool { return r == ',' || r == '=' }), func(part string) bool {
		return len(part) > 3 && part != "true" && part != "false" && strings.Contains(reason, part)
	})
}
