// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Action is what is to be done with one Resource.
type Action string

// The Actions. Same and Keep do nothing.
const (
	Create Action = "create"
	Update Action = "change"
	Same   Action = "same"
	Delete Action = "delete"
	Keep   Action = "keep"
)

// notThere is why a deletion has nothing to do for what does not exist.
const notThere = "not there"

// Outcome is what has become of a Step's Action.
type Outcome string

// The Outcomes. A Step that is not pending has none.
const (
	Planned Outcome = "planned"
	Doing   Outcome = "doing"
	Done    Outcome = "done"
	Failed  Outcome = "failed"
	NotDone Outcome = "not done"
)

// Step is what a Plan has in mind for one Resource.
type Step struct {
	Action  Action   `json:"action"`
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	ID      string   `json:"id,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	// Why says why a deletion does nothing with it.
	Why string `json:"why,omitempty"`
	// Others are left alone; see State.
	Others  []string `json:"others,omitempty"`
	Outcome Outcome  `json:"outcome,omitempty"`
	Error   string   `json:"error,omitempty"`

	resource Resource
}

// String names the step's resource: "target pool kubernetes-target-pool".
func (s Step) String() string {
	if s.ID == "" {
		return s.Kind + " " + s.Name
	}
	return fmt.Sprintf("%s %s (%s)", s.Kind, s.Name, s.ID)
}

// Pending says whether the step's action changes anything.
func (s Step) Pending() bool { return s.Action != Same && s.Action != Keep }

// Plan is what to do, in order.
type Plan struct {
	Steps []Step
	cloud Cloud
}

// NewPlan reads what is there, changes nothing, and plans the difference. Its
// error lists every Problem, one a line.
func NewPlan(ctx context.Context, cloud Cloud) (*Plan, error) {
	p := &Plan{cloud: cloud}
	var problems []error
	err := p.read(ctx, func(step Step, state State) {
		switch {
		case state.Problem != "":
			problems = append(problems, fmt.Errorf("%s %s: %s", step.Kind, step.Name, state.Problem))
		case !state.Exists:
			step.Action = Create
		case len(state.Changes) > 0 && !state.Given:
			step.Action, step.Changes = Update, state.Changes
		default:
			step.Action = Same
		}
		p.Steps = append(p.Steps, step)
	})
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, err
	}
	return p.planned(), nil
}

// NewDeletion reads what is there, changes nothing, and plans to remove, in
// reverse, what bears this program's mark or is exactly as NewPlan wants it.
func NewDeletion(ctx context.Context, cloud Cloud) (*Plan, error) {
	p := &Plan{cloud: cloud}
	err := p.read(ctx, func(step Step, state State) {
		step.Action = Keep
		switch {
		case !state.Exists:
			step.Why = notThere
		case state.Given:
			step.Why = "only looked up"
		case state.Keep != "":
			step.Why = state.Keep
		case len(state.Changes) > 0 && !state.Ours:
			step.Changes = state.Changes
			step.Why = "not as the plan has it, and without the mark of " + Owner
		default:
			step.Action = Delete
		}
		p.Steps = append(p.Steps, step)
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(p.Steps)
	return p.planned(), nil
}

func (p *Plan) read(ctx context.Context, add func(Step, State)) error {
	for _, r := range p.cloud.Resources() {
		state, err := r.Read(ctx)
		if err != nil {
			return fmt.Errorf("reading %s %s: %w", r.Kind(), r.Name(), p.cloud.Explain(err))
		}
		add(Step{Kind: r.Kind(), Name: r.Name(), ID: state.ID, Others: state.Others, resource: r}, state)
	}
	return nil
}

func (p *Plan) planned() *Plan {
	for i := range p.Steps {
		if p.Steps[i].Pending() {
			p.Steps[i].Outcome = Planned
		}
	}
	return p
}

// Pending counts the steps that change something.
func (p *Plan) Pending() int {
	n := 0
	for _, s := range p.Steps {
		if s.Pending() {
			n++
		}
	}
	return n
}
