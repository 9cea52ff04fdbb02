// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"
	"regexp"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/evaluation"
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
		found = append(found, failure(string(f.Component), f.Reason, fixFor(f))...)
	}
	return found
}

// flagName matches a flag in a component's error.
var flagName = regexp.MustCompile(`--([a-z][a-z0-9-]*[a-z0-9])`)

// fixFor names the flag to correct, where the component's error does.
func fixFor(f evaluation.Failure) string {
	if m := flagName.FindStringSubmatch(f.Reason); m != nil {
		return "correct " + plan.ArgFlag(f.Component, m[1])
	}
	return fmt.Sprintf("correct that setting of --%s-arg; khw-controller flags shows them all", f.Component)
}
