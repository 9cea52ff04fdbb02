// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNotInService is the error of a Wait whose time was up.
var ErrNotInService = errors.New("not all controllers are in service")

// Wait asks the balancer every interval about its instances, until all
// controllers are in service or ctx ends, and returns its last answer. tell is
// called with each answer. A single question that fails is no reason to stop,
// the next one may not, unless asking is not allowed.
func Wait(ctx context.Context, cloud Cloud, interval time.Duration, tell func([]InstanceHealth)) ([]InstanceHealth, error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var health []InstanceHealth
	var failed error
	for {
		answer, err := cloud.Health(ctx)
		if err == nil {
			health, failed = answer, nil
			tell(health)
			if len(waiting(health)) == 0 {
				return health, nil
			}
		} else if ctx.Err() == nil {
			failed = err
		}
		if cloud.Classify(failed) == ErrorDenied {
			return health, notInService(ctx, health, failed)
		}
		select {
		case <-ctx.Done():
			return health, notInService(ctx, health, failed)
		case <-tick.C:
		}
	}
}

// waiting are the controllers that are not in service.
func waiting(health []InstanceHealth) []InstanceHealth {
	var out []InstanceHealth
	for _, h := range health {
		if h.Ours && !h.InService {
			out = append(out, h)
		}
	}
	return out
}

func notInService(ctx context.Context, health []InstanceHealth, failed error) error {
	if failed != nil {
		return fmt.Errorf("asking for the controllers' health: %w", failed)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("waiting for the controllers' health: %w", ctx.Err())
	}
	var said []string
	for _, h := range waiting(health) {
		said = append(said, h.String())
	}
	return fmt.Errorf("%w: %s; see that khw-controller runs there, that its health port answers, and that the firewall lets the health checks in",
		ErrNotInService, strings.Join(said, "; "))
}

// String says how one instance is.
func (h InstanceHealth) String() string {
	s := h.label() + " " + h.State
	if h.Reason != "" {
		s += ": " + h.Reason
	}
	return s
}

func (h InstanceHealth) label() string {
	if h.ID != "" && h.ID != h.Name {
		return h.Name + " (" + h.ID + ")"
	}
	return h.Name
}
