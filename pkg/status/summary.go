// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Summarize says how a controller with these components and further problems is
// doing: in one word, and in the one line that service managers show.
func Summarize(components []supervisor.Status, problems, warnings []string) (Word, string) {
	word := Ready
	if len(problems) > 0 {
		word = Degraded
	}
	parts := make([]string, 0, len(components))
	for _, c := range components {
		part := c.Component + " " + string(c.State)
		switch {
		case c.Unhealthy != "":
			part += " (" + c.Unhealthy + ")"
		case c.Detail != "":
			part += " (" + c.Detail + ")"
		}
		parts = append(parts, part)
		word = worse(word, wordFor(c))
	}
	line := string(word) + ": " + strings.Join(parts, ", ")
	for _, s := range slices.Concat(problems, warnings) {
		line += "; " + s
	}
	return word, line
}

func worse(a, b Word) Word {
	rank := []Word{Ready, Starting, Degraded, Stopping}
	if slices.Index(rank, b) > slices.Index(rank, a) {
		return b
	}
	return a
}

// wordFor is how the whole is doing as far as one component is concerned.
func wordFor(c supervisor.Status) Word {
	switch {
	case c.State == supervisor.Stopping || c.State == supervisor.Stopped:
		return Stopping
	case c.State == supervisor.Failed || c.State == supervisor.Restarting || c.Unhealthy != "":
		return Degraded
	case !c.State.Up() && !c.Accessory:
		return Starting
	}
	return Ready
}
