// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/json"
	"errors"
	"os/exec"
)

// Finding is one of `khw-controller check`'s.
type Finding struct {
	Severity, Subject, Problem, Fix string
}

// Check runs `khw-controller check` with the arguments of `run`, and returns its
// output, what it says on stderr when it fails included, and its exit code.
func (c *Controller) Check(more ...string) (string, int) {
	c.Helper()
	args := append([]string{"check"}, c.RunArgs()...)
	out, err := exec.CommandContext(c.Context(), c.Binary(), append(args, more...)...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return string(out) + string(failed.Stderr), failed.ExitCode()
	}
	c.Must(err)
	return string(out), 0
}

// CheckJSON is Check with its findings read.
func (c *Controller) CheckJSON() ([]Finding, int) {
	c.Helper()
	out, code := c.Check("-o", "json")
	var result struct{ Findings []Finding }
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		c.Fatalf("check -o json printed %q: %v", out, err)
	}
	return result.Findings, code
}
