// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"slices"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
	"github.com/khw-controller/khw-controller/pkg/webhook"
)

// shortly is what asking for a webhook's configuration may take when there is no
// patience left: the local apiserver answers sooner, unless it is slow.
const shortly = 100 * time.Millisecond

// refusals are the webhooks that keep components from their leases, or from what they
// are to make, and the way out.
func (o *observer) refusals(ctx context.Context, components []supervisor.Status, patience time.Duration) (problems []string) {
	for _, c := range components {
		name := webhook.Refusing(c.Unhealthy)
		if name == "" {
			name = webhook.Refusing(c.Detail)
		}
		if name == "" && c.Unhealthy != "" && o.hasLease(c.Component) {
			name = o.holding(ctx, max(patience, shortly))
		}
		if name == "" {
			continue
		}
		configurations, _ := o.webhooks.answer(ctx, max(patience, shortly))
		problem := webhook.Problem(name)
		if c.Component == bootstrapName && c.State == supervisor.Leading { // it has its lease
			problem = webhook.ObjectsProblem(name)
		}
		problem += "; " + webhook.Fix(name, configurations)
		if !slices.Contains(problems, problem) {
			problems = append(problems, problem)
		}
	}
	return problems
}

// A lease in trouble is tried so often at most, and what came of it is believed so long.
// A webhook may take 30 s to fail.
const (
	tryEvery   = 30 * time.Second
	tryTimeout = 31 * time.Second
	tryGood    = 2 * tryEvery
)

// hasLease reports whether a component needs a lease of its own to act.
func (o *observer) hasLease(component string) bool {
	return slices.ContainsFunc(o.strain.leases, func(l leaseOf) bool { return l.component == component })
}

// holding returns the webhook that holds the leases' requests for longer than who sends
// them waits, so that they do not get to hear its name; "" where none is known to.
func (o *observer) holding(ctx context.Context, patience time.Duration) string {
	name := o.held.recent(ctx, tryEvery, patience)
	if _, at := o.held.known(); time.Since(at) > tryGood {
		return ""
	}
	return name
}

// findHolding makes a lease in a dry run, and waits as long as any webhook may take.
func (o *observer) findHolding(ctx context.Context) string {
	config, err := o.client()
	if err != nil {
		return ""
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return ""
	}
	name, _ := webhook.TryLease(ctx, client) // any other reason is told already
	return name
}

// findWebhooks returns where webhooks are configured, or nil.
func (o *observer) findWebhooks(ctx context.Context) map[string][]string {
	config, err := o.client()
	if err != nil {
		return nil
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil
	}
	found, err := webhook.Configurations(ctx, client)
	if err != nil {
		return nil
	}
	return found
}
