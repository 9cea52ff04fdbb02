// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Verb is the command under which the program evaluates what its standard input
// says.
const Verb = "evaluate"

// timeout is what an evaluation may take. It takes well under a second.
const timeout = 30 * time.Second

var errLate = fmt.Errorf("no verdict within %s; is the machine overloaded?", timeout)

// InChild evaluates r in a child process of this program. An error means that
// there is no verdict.
func InChild(ctx context.Context, r Request) ([]Failure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errLate)
	defer cancel()
	// Not by its own name: under that of a component it is that component.
	child := exec.CommandContext(ctx, self)
	child.Args = []string{"khw-controller", Verb}
	child.Stdin = bytes.NewReader(input)
	// What it makes for a while goes with it, however it ends.
	dir, err := os.MkdirTemp("", "khw-check-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	// It ends before there is garbage worth collecting, which would take a quarter of
	// its CPU time.
	child.Env = append(os.Environ(), "TMPDIR="+dir, "GOGC=1000")
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stdout, stderr bytes.Buffer
	child.Stdout, child.Stderr = &stdout, &stderr
	if err := child.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	var failures []Failure
	if err := json.Unmarshal(stdout.Bytes(), &failures); err != nil {
		return nil, fmt.Errorf("reading the verdict: %w", err)
	}
	return failures, nil
}

// Serve is the child's side: it evaluates the Request in in and writes the
// failures to out.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var r Request
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("reading what to evaluate: %w", err)
	}
	failures := Evaluate(ctx, r)
	if failures == nil {
		failures = []Failure{}
	}
	return json.NewEncoder(out).Encode(failures)
}

// lastLine is the line with which a process ended, as far as it said any.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return "it said nothing"
}
