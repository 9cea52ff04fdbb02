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

// Why a deletion does nothing.
const (
	notThere = "not there"
	// NotOurs is about what lacks the mark.
	NotOurs = "not made by " + Owner
)

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
	// Unmanaged are left alone; see State.
	Unmanaged []string `json:"unmanaged,omitempty"`
	Outcome   Outcome  `json:"outcome,omitempty"`
	Error     string   `json:"error,omitempty"`

	resource Resource
}

// String names the step's resource: "target pool kubernetes-target-pool".
func (s Step) String() string {
	if s.ID == "" {
		return s.Kind + " " + s.Name
	}
	return fmt.Sprintf("%s %s (%s)", s.Kind, s.Name, s.ID)
}

// Pending reports whether the step's action changes anything.
func (s Step) Pending() bool { return s.Action != Same && s.Action != Keep }

// Plan is what to do, in order.
type Plan struct {
	Steps []Step
	cloud Cloud
}

// NewPlan reads what is there, changes nothing, and plans the difference: first
// what is made and changed, then what of ours goes. Its error lists every
// Problem, one a line.
func NewPlan(ctx context.Context, cloud Cloud) (*Plan, error) {
	p := &Plan{cloud: cloud}
	var problems []error
	err := p.read(ctx, func(step Step, state State) {
		if problem := plan(&step, state); problem != "" {
			problems = append(problems, fmt.Errorf("%s %s: %s", step.Kind, step.Name, problem))
		}
		p.Steps = append(p.Steps, step)
	})
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, err
	}
	stale, err := p.stale(ctx)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, stale...)
	return p.planned(), nil
}

// plan decides what to do with one resource, or what stands in the way.
func plan(step *Step, state State) (problem string) {
	_, creates := step.resource.(Creator)
	_, updates := step.resource.(Updater)
	step.Action = Same
	switch {
	case state.Problem != "":
		return state.Problem
	case !state.Exists && !creates:
		return "it is not there, and nothing that this command makes"
	case !state.Exists:
		step.Action = Create
	case len(state.Changes) > 0 && updates && !state.ReadOnly:
		step.Action, step.Changes = Update, state.Changes
	}
	return ""
}

// NewDeletion reads what is there, changes nothing, and plans to remove, in
// reverse, what bears this program's mark, and the memberships of the instances.
func NewDeletion(ctx context.Context, cloud Cloud) (*Plan, error) {
	p := &Plan{cloud: cloud}
	var states []State
	err := p.read(ctx, func(step Step, state State) {
		p.Steps, states = append(p.Steps, step), append(states, state)
	})
	if err != nil {
		return nil, err
	}
	for i := len(p.Steps) - 1; i >= 0; i-- {
		step := &p.Steps[i]
		if step.Why, err = keeps(ctx, step.resource, states[i]); err != nil {
			return nil, fmt.Errorf("asking what needs %s %s: %w", step.Kind, step.Name, cloud.Explain(err))
		}
		step.Action = Keep
		if step.Why == "" {
			step.Action = Delete
		}
	}
	stale, err := p.stale(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(stale)
	p.Steps = append(p.Steps, stale...)
	slices.Reverse(p.Steps)
	return p.planned(), nil
}

// keeps says why a deletion leaves something, or is "".
func keeps(ctx context.Context, r Resource, state State) (string, error) {
	_, deletes := r.(Deleter)
	switch {
	case !state.Exists:
		return notThere, nil
	case state.Keep != "":
		return state.Keep, nil
	case state.ReadOnly || !deletes:
		return "only looked up", nil
	case !state.Ours && !state.Membership:
		return NotOurs, nil
	}
	if keeper, asks := r.(Keeper); asks {
		return keeper.Keep(ctx)
	}
	return "", nil
}

func (p *Plan) read(ctx context.Context, add func(Step, State)) error {
	for _, r := range p.cloud.Resources() {
		state, err := r.Read(ctx)
		if err != nil {
			return fmt.Errorf("reading %s %s: %w", r.Kind(), r.Name(), p.cloud.Explain(err))
		}
		add(Step{Kind: r.Kind(), Name: r.Name(), ID: state.ID, Unmanaged: state.Unmanaged, resource: r}, state)
	}
	return nil
}

// stale are the deletions of what is ours and not wanted.
func (p *Plan) stale(ctx context.Context) ([]Step, error) {
	all, err := p.cloud.Stale(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for what is no longer wanted: %w", p.cloud.Explain(err))
	}
	var steps []Step
	for _, r := range all {
		state, err := r.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading %s %s: %w", r.Kind(), r.Name(), p.cloud.Explain(err))
		}
		if !state.Exists {
			continue
		}
		step := Step{Action: Delete, Kind: r.Kind(), Name: r.Name(), ID: state.ID, Unmanaged: state.Unmanaged, resource: r}
		if state.Keep != "" {
			step.Action, step.Why = Keep, state.Keep
		}
		steps = append(steps, step)
	}
	return steps, nil
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
