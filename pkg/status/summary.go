// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Summarize says how a controller with these components and further problems is
// doing: in one word, and in the one line that service managers show.
func Summarize(components []supervisor.Status, problems, warnings []string) (Health, string) {
	health := Ready
	if len(problems) > 0 {
		health = Degraded
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
		health = worse(health, healthOf(c))
	}
	line := string(health) + ": " + strings.Join(parts, ", ")
	for _, s := range slices.Concat(problems, warnings) {
		line += "; " + s
	}
	return health, line
}

func worse(a, b Health) Health {
	rank := []Health{Ready, Starting, Degraded, Stopping}
	if slices.Index(rank, b) > slices.Index(rank, a) {
		return b
	}
	return a
}

// healthOf is how the whole is doing as far as one component is concerned.
func healthOf(c supervisor.Status) Health {
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
