// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// ownUnit is the one unit that takes the place of the lab's.
const ownUnit = "khw-controller.service"

// labUnits are the lab's.
var labUnits = []string{"kube-apiserver.service", "kube-controller-manager.service", "kube-scheduler.service"}

// Systemctl is a Target's UnitFiles where systemd runs.
func Systemctl(ctx context.Context, units []string) (string, error) {
	args := append([]string{"list-unit-files", "--no-legend", "--no-pager", "--plain"}, units...)
	out, err := exec.CommandContext(ctx, "systemctl", args...).Output()
	var said *exec.ExitError
	if errors.As(err, &said) {
		// Without a word, it found none of them.
		if err = nil; len(said.Stderr) > 0 {
			err = errors.New(string(said.Stderr))
		}
	}
	return string(out), err
}

// checkUnits is the lab's `systemctl list-unit-files | grep enabled | grep kube`.
func checkUnits(ctx context.Context, t Target) checkResult {
	if t.UnitFiles == nil {
		return checkResult{skipped: "no unit runs it: no systemd here, or below a --root"}
	}
	listed, err := t.UnitFiles(ctx, append([]string{ownUnit}, labUnits...))
	if err != nil {
		return failed("systemctl list-unit-files: "+connerr.OneLine(err), "run it by hand and see what it says")
	}
	return evaluateUnits(unitStates(listed))
}

// unitState is a unit file's state, as systemctl(1) lists them under is-enabled.
type unitState string

// The states that are told apart.
const (
	notInstalled unitState = "" // systemctl does not list it
	enabled      unitState = "enabled"
	masked       unitState = "masked"
)

// unitStates reads the lines of systemctl: unit, state, and more.
func unitStates(listed string) map[string]unitState {
	states := map[string]unitState{}
	for line := range strings.Lines(listed) {
		if f := strings.Fields(line); len(f) > 1 {
			states[f[0]] = unitState(f[1])
		}
	}
	return states
}

func evaluateUnits(states map[string]unitState) (r checkResult) {
	for _, unit := range append([]string{ownUnit}, labUnits...) {
		if state, ok := states[unit]; ok {
			r.output = append(r.output, fmt.Sprintf("%-42s %s", unit, state))
		}
	}
	isEnabled := func(unit string) bool { return states[unit] == enabled }
	switch own, theirs := isEnabled(ownUnit), slices.ContainsFunc(labUnits, isEnabled); {
	case own && theirs:
		r.fail("the lab's units and "+ownUnit+" are enabled, and all want the same ports",
			"systemctl disable --now "+strings.Join(labUnits, " "))
	case own:
	case theirs:
		for _, unit := range labUnits {
			if !isEnabled(unit) {
				r.fail(unit+" is "+orMissing(states[unit]), "systemctl enable --now "+unit)
			}
		}
	default:
		r.fail(ownUnit+" is "+orMissing(states[ownUnit]), nextForUnit(states[ownUnit]))
	}
	return r
}

func orMissing(state unitState) string {
	if state == notInstalled {
		return "not installed"
	}
	return string(state) + ", not enabled"
}

func nextForUnit(state unitState) string {
	switch state {
	case notInstalled:
		return "install the package, which brings the unit, then systemctl enable --now " + ownUnit
	case masked:
		return "systemctl unmask " + ownUnit + ", then systemctl enable --now " + ownUnit
	}
	return "systemctl enable --now " + ownUnit
}
