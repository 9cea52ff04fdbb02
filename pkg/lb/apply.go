// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"fmt"
	"strings"
)

// Apply does what is pending, in order, and stops at the first failure. tell is
// called when a step begins and when it has ended. The error says what was
// done, what was not, and that another run continues.
func (p *Plan) Apply(ctx context.Context, tell func(Step)) error {
	for i := range p.Steps {
		s := &p.Steps[i]
		if !s.Pending() {
			continue
		}
		s.Outcome = Doing
		tell(*s)
		err := p.do(ctx, s)
		if err == nil {
			s.Outcome = Done
			tell(*s)
			continue
		}
		err = p.cloud.Explain(err)
		s.Outcome, s.Error = Failed, err.Error()
		tell(*s)
		for j := i + 1; j < len(p.Steps); j++ {
			if p.Steps[j].Pending() {
				p.Steps[j].Outcome = NotDone
			}
		}
		return fmt.Errorf("%s %s: %w\n%s; once this is settled, the same command continues here", s.Action, s, err, p.halfway())
	}
	return nil
}

// halfway says what was done and what was not.
func (p *Plan) halfway() string {
	list := func(outcomes ...Outcome) string {
		var names []string
		for _, s := range p.Steps {
			for _, o := range outcomes {
				if s.Outcome == o {
					names = append(names, s.Kind+" "+s.Name)
				}
			}
		}
		if len(names) == 0 {
			return "nothing"
		}
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("done: %s; not done: %s", list(Done), list(Failed, NotDone))
}
