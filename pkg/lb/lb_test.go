// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// part is a Resource that is as its state says, and writes down what is done.
type part struct {
	name  string
	state State
	fails error
	log   *[]string
}

func (p *part) Kind() string                        { return "part" }
func (p *part) Name() string                        { return p.name }
func (p *part) Read(context.Context) (State, error) { return p.state, nil }
func (p *part) Create(context.Context) error        { return p.do("create") }
func (p *part) Update(context.Context) error        { return p.do("update") }
func (p *part) Delete(context.Context) error        { return p.do("delete") }

func (p *part) do(what string) error {
	*p.log = append(*p.log, what+" "+p.name)
	return p.fails
}

// parts are a Cloud.
type parts struct {
	all    []*part
	log    []string
	health func() ([]InstanceHealth, error)
	// classes are of the errors that the parts fail with.
	classes map[error]ErrorClass
	gone    []*part
}

func (c *parts) Where() string                                    { return "a test" }
func (c *parts) Address() string                                  { return "lb.example.com" }
func (c *parts) Health(context.Context) ([]InstanceHealth, error) { return c.health() }
func (c *parts) Status(context.Context) (Status, error)           { return Status{}, nil }
func (c *parts) Pace() Pace                                       { return Pace{time.Millisecond, time.Second} }
func (c *parts) Preamble() []string                               { return []string{"export REGION=here"} }
func (c *parts) Classify(err error) ErrorClass                    { return c.classes[err] }
func (c *parts) Explain(err error) error                          { return errors.Join(errors.New("explained"), err) }

func (c *parts) Resources() []Resource {
	var all []Resource
	for _, p := range c.all {
		p.log = &c.log
		all = append(all, p)
	}
	return all
}

func (c *parts) Stale(context.Context) ([]Resource, error) {
	var all []Resource
	for _, p := range c.gone {
		p.log = &c.log
		all = append(all, p)
	}
	return all, nil
}

var change = []Change{{"size", "1", "2"}}

func cloudOf() *parts {
	return &parts{all: []*part{
		{name: "looked up", state: State{Exists: true, ReadOnly: true, Changes: change}},
		{name: "absent", state: State{}},
		{name: "different", state: State{Exists: true, ID: "id-1", Changes: change, Unmanaged: []string{"another is there"}}},
		{name: "ours", state: State{Exists: true, Ours: true, Changes: change}},
		{name: "same", state: State{Exists: true}},
		{name: "kept", state: State{Exists: true, Keep: "a reason"}},
	}}
}

func text(p *Plan) string {
	var b strings.Builder
	p.WriteText(&b)
	return b.String()
}

func TestPlanIsTheDifferenceInOrder(t *testing.T) {
	c := cloudOf()
	plan, err := NewPlan(t.Context(), c)
	if err != nil || len(c.log) > 0 {
		t.Fatalf("%v, and it did %v", err, c.log)
	}
	want := `load balancer in a test
  = part  looked up
  + part  absent
  ~ part  different (id-1)
      size 1 → 2
  ~ part  ours
      size 1 → 2
  = part  same
  = part  kept
  ? another is there
1 to create, 2 to change
`
	if got := text(plan); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var told []string
	if err := plan.Apply(t.Context(), func(s Step) { told = append(told, string(s.Outcome)+" "+s.Name) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"create absent", "update different", "update ours"}; !slices.Equal(c.log, want) {
		t.Errorf("it did %v, want %v", c.log, want)
	}
	if want := []string{"doing absent", "done absent", "doing different", "done different", "doing ours", "done ours"}; !slices.Equal(told, want) {
		t.Errorf("it told %v, want %v", told, want)
	}
	if r := plan.Report(); r.Pending != 3 || r.Address != "lb.example.com" || r.Steps[1].Outcome != Done || r.Steps[0].Outcome != "" {
		t.Errorf("the report is %+v", r)
	}
}

func TestDeletionIsInReverseAndTakesOnlyWhatIsOursOrExact(t *testing.T) {
	c := cloudOf()
	plan, err := NewDeletion(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := `load balancer in a test
  = part  kept: kept, a reason
  - part  same
  - part  ours
  = part  different (id-1): kept, not as the plan has it, and without the mark of khw-controller
      size 1 → 2
  = part  absent: not there
  = part  looked up: kept, only looked up
  ? another is there
2 to delete
`
	if got := text(plan); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := plan.Apply(t.Context(), func(Step) {}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"delete same", "delete ours"}; !slices.Equal(c.log, want) {
		t.Errorf("it did %v, want %v", c.log, want)
	}
}

func TestEveryProblemIsToldAndNothingDone(t *testing.T) {
	c := cloudOf()
	c.all[1].state.Problem = "make it"
	c.all[4].state.Problem = "rename it"
	_, err := NewPlan(t.Context(), c)
	if want := "part absent: make it\npart same: rename it"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := NewDeletion(t.Context(), c); err != nil {
		t.Errorf("a deletion fails for what only stands in the way of making it: %v", err)
	}
}

func TestAFailureHalfWaySaysWhatWasDone(t *testing.T) {
	c := cloudOf()
	c.all[2].fails = errors.New("no")
	plan, err := NewPlan(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Apply(t.Context(), func(Step) {})
	for _, want := range []string{"change part different (id-1): explained", "done: part absent; not done: part different, part ours; once this is settled, the same command continues here"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to contain %q", err, want)
		}
	}
	outcomes := []Outcome{"", Done, Failed, NotDone, "", ""}
	for i, s := range plan.Steps {
		if s.Outcome != outcomes[i] {
			t.Errorf("%s is %q, want %q", s, s.Outcome, outcomes[i])
		}
	}
	if len(c.log) != 2 {
		t.Errorf("it did %v", c.log)
	}
}

func TestApplyStopsBetweenStepsWhenInterrupted(t *testing.T) {
	c := cloudOf()
	plan, err := NewPlan(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = plan.Apply(ctx, func(Step) { cancel() })
	if !errors.Is(err, context.Canceled) || len(c.log) > 1 {
		t.Errorf("got %v after %v", err, c.log)
	}
}

func TestWait(t *testing.T) {
	late := InstanceHealth{Name: "controller-1", ID: "i-1", State: "OutOfService", Reason: "too slow", Ours: true}
	up := InstanceHealth{Name: "controller-0", ID: "i-0", State: "InService", InService: true, Ours: true}
	unmanaged := InstanceHealth{Name: "i-9", State: "OutOfService"}
	inService := late
	inService.InService = true
	for name, test := range map[string]struct {
		answers []any
		says    string
		told    int
	}{
		"at once":                 {[]any{[]InstanceHealth{up, unmanaged}}, "", 1},
		"in the end":              {[]any{[]InstanceHealth{up, late}, errors.New("throttled"), []InstanceHealth{up, inService}}, "", 2},
		"never":                   {[]any{[]InstanceHealth{up, late}}, "not all controllers are in service: controller-1 (i-1) OutOfService: too slow", -1},
		"nobody answers":          {[]any{errors.New("denied")}, "asking for the controllers' health: denied", 0},
		"an answer, then nothing": {[]any{[]InstanceHealth{late}, errors.New("denied")}, "health: denied", 1},
	} {
		t.Run(name, func(t *testing.T) {
			asked, told := 0, 0
			c := &parts{health: func() ([]InstanceHealth, error) {
				answer := test.answers[min(asked, len(test.answers)-1)]
				asked++
				if err, ok := answer.(error); ok {
					return nil, err
				}
				return answer.([]InstanceHealth), nil
			}}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := Wait(ctx, c, time.Millisecond, func([]InstanceHealth) { told++ })
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if test.told >= 0 && told != test.told {
				t.Errorf("told %d times, want %d", told, test.told)
			}
		})
	}
}
