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
