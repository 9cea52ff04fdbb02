// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// rotate is one of the two commands that rotate something.
type rotate struct {
	flags  config.Flags
	output *cli.Output

	begin, finish, undo, status, dryRun bool

	// next are the two files that are copied to the other controllers.
	next [2]paths.Path

	cmd  *cobra.Command
	plan *plan.Plan
	// result is what was done so far.
	result rotated
}

// steps are what the two commands do in ways of their own.
type steps interface {
	// read returns how far the rotation is here.
	read() (certs.Phase, error)
	beginHere() error
	goOn() error
	finishHere() error
	undoHere() error
	showEvidence() error
}

// rotated is what was done, for scripts.
type rotated struct {
	DryRun  bool         `json:"dryRun"`
	Phase   certs.Phase  `json:"phase"`
	Changed []certs.Edit `json:"changed"`
	Left    []string     `json:"left"`
	// WaitsFor is why the next step was not done, or empty.
	WaitsFor string `json:"waitsFor,omitempty"`
	// Next is what to do next.
	Next []string `json:"next"`
}

func (r *rotate) addTo(cmd *cobra.Command) {
	r.output = cli.AddOutput(cmd, "json")
	f := cmd.Flags()
	f.BoolVar(&r.begin, "begin", false, "Begin a rotation, on one controller.")
	f.BoolVar(&r.finish, "finish", false, "Take the last step here: give the old one up.")
	f.BoolVar(&r.undo, "undo", false, "Give the rotation up here, before the next one signs.")
	f.BoolVar(&r.status, "status", false, "Say how far it is, here and on every controller, and change nothing.")
	f.BoolVar(&r.dryRun, "dry-run", false, "Say what the next step would change here, and change nothing.")
	r.flags.AddTo(f)
}

// open makes the plan, and finishes what was interrupted.
func (r *rotate) open(cmd *cobra.Command) (err error) {
	asked := 0
	for _, flag := range []bool{r.begin, r.finish, r.undo, r.status} {
		if flag {
			asked++
		}
	}
	if asked > 1 {
		return cli.Usagef("--begin, --finish, --undo and --status are one at a time")
	}
	r.cmd = cmd
	if r.plan, err = cli.Plan(cmd, &r.flags); err != nil {
		return err
	}
	r.result = rotated{DryRun: r.dryRun, Phase: certs.NotRotating, Changed: []certs.Edit{}, Left: []string{}, Next: []string{}}
	if r.status {
		return nil
	}
	return finishInterrupted(cmd, r.plan, r.dryRun)
}

// run does what the flags ask for.
func (r *rotate) run(cmd *cobra.Command, s steps) error {
	if err := r.open(cmd); err != nil {
		return err
	}
	defer r.plan.Close()
	if r.begin {
		return s.beginHere()
	}
	var err error
	if r.result.Phase, err = s.read(); err != nil {
		return err
	}
	switch {
	case r.result.Phase == certs.NotRotating && r.status:
		return r.show()
	case r.result.Phase == certs.NotRotating:
		return fmt.Errorf("no rotation has begun here: begin one with --begin; where one has begun on another controller, copy %s from there to %s",
			r.nextFiles(), r.nextDir())
	case r.undo:
		return s.undoHere()
	case r.status:
		return s.showEvidence()
	case r.finish:
		return s.finishHere()
	}
	return s.goOn()
}

// nextFiles names the two files that are copied, and nextDir where they are.
func (r *rotate) nextFiles() string {
	return filepath.Base(string(r.next[0])) + " and " + filepath.Base(string(r.next[1]))
}

func (r *rotate) nextDir() string { return filepath.Dir(r.plan.Path(r.next[0])) }

// showTable shows how far a rotation is on every controller, and for scripts the
// evidence itself.
func (r *rotate) showTable(evidence any, rows [][]string) error {
	w := r.cmd.OutOrStdout()
	if r.output.String() == "json" {
		return cli.WriteJSON(w, struct {
			Phase       certs.Phase `json:"phase"`
			Controllers any         `json:"controllers"`
		}{r.result.Phase, evidence})
	}
	fmt.Fprintf(w, "here: %s\n", r.result.Phase)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// do takes a step, or says what it would be.
func (r *rotate) do(change *certs.Change, err error) error {
	if err != nil {
		return err
	}
	if !r.dryRun {
		if err := change.Write(time.Now()); err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
	}
	r.result.Phase = change.Phase
	r.result.Changed = append(r.result.Changed, change.Edits...)
	r.result.Left = append(r.result.Left, change.Left...)
	return nil
}

// waits notes why the next step is not taken: an error where none was.
func (r *rotate) waits(err error) error {
	if len(r.result.Changed) == 0 {
		return err
	}
	r.result.WaitsFor = err.Error()
	return nil
}

func (r *rotate) show() error {
	w := r.cmd.OutOrStdout()
	if r.output.String() == "json" {
		return cli.WriteJSON(w, r.result)
	}
	for _, e := range r.result.Changed {
		sign := "~"
		if e.Made {
			sign = "+"
		}
		fmt.Fprintf(w, "%s %s: %s\n", sign, e.Path, e.What)
	}
	for _, left := range r.result.Left {
		fmt.Fprintf(w, "= %s\n", left)
	}
	if r.result.WaitsFor != "" {
		fmt.Fprintf(w, "waits: %s\n", r.result.WaitsFor)
	}
	switch {
	case r.status && r.result.Phase == certs.NotRotating:
		fmt.Fprintln(w, "here: none")
	case !r.dryRun:
		showNext(w, r.result.Next)
	}
	return nil
}

func showNext(w io.Writer, next []string) {
	for i, line := range next {
		fmt.Fprintf(w, "%s %s\n", map[bool]string{true: "next:", false: "     "}[i == 0], line)
	}
}

// names lists some controllers for people.
func names(all []string) string { return strings.Join(all, ", ") }

// restartCommand puts files in force that are read at a start.
const restartCommand = "systemctl restart khw-controller"
