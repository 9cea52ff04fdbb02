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
	// then is what the first attempt to change it makes of it.
	then func(*part)
}

func (p *part) Kind() string                        { return "part" }
func (p *part) Name() string                        { return p.name }
func (p *part) Read(context.Context) (State, error) { return p.state, nil }
func (p *part) Create(context.Context) error        { return p.do("create") }
func (p *part) Update(context.Context) error        { return p.do("update") }
func (p *part) Delete(context.Context) error        { return p.do("delete") }

func (p *part) do(what string) error {
	*p.log = append(*p.log, what+" "+p.name)
	err := p.fails
	if p.then != nil {
		p.then(p)
		p.then = nil
	}
	return err
}

func (p *part) Commands(a Action) []string { return []string{string(a) + " " + Quote(p.name)} }

// lookedUp is a Resource that nothing can be done with.
type lookedUp struct{ state State }

func (l *lookedUp) Kind() string                        { return "place" }
func (l *lookedUp) Name() string                        { return "far" }
func (l *lookedUp) Read(context.Context) (State, error) { return l.state, nil }

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
		{name: "member", state: State{Exists: true, Membership: true}},
		{name: "kept", state: State{Exists: true, Ours: true, Keep: "a reason"}},
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
  = part  member
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

func TestDeletionIsInReverseAndTakesOnlyWhatIsOurs(t *testing.T) {
	c := cloudOf()
	plan, err := NewDeletion(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := `load balancer in a test
  = part  kept: kept, a reason
  - part  member
  = part  same: kept, not made by khw-controller
  - part  ours
  = part  different (id-1): kept, not made by khw-controller
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
	if want := []string{"delete member", "delete ours"}; !slices.Equal(c.log, want) {
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
	outcomes := []Outcome{"", Done, Failed, NotDone, "", "", ""}
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
		"nobody answers":          {[]any{errors.New("throttled")}, "asking for the controllers' health: throttled", 0},
		"an answer, then nothing": {[]any{[]InstanceHealth{late}, errors.New("throttled")}, "health: throttled", 1},
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

// TestWaitStopsAtOnceWhereItMayNotLook has time for many questions, and asks one.
func TestWaitStopsAtOnceWhereItMayNotLook(t *testing.T) {
	denied := errors.New("denied")
	asked := 0
	c := &parts{classes: map[error]ErrorClass{denied: ErrorDenied}, health: func() ([]InstanceHealth, error) { asked++; return nil, denied }}
	_, err := Wait(t.Context(), c, time.Millisecond, func([]InstanceHealth) {})
	if !errors.Is(err, denied) || asked != 1 {
		t.Errorf("got %v after %d questions", err, asked)
	}
}

var (
	errExists   = errors.New("exists")
	errNotFound = errors.New("not found")
	errBusy     = errors.New("busy")
	classes     = map[error]ErrorClass{errExists: ErrorExists, errNotFound: ErrorNotFound, errBusy: ErrorBusy}
)

// TestRepetition is about attempts whose answers were lost, and about others at
// work at the same time.
func TestRepetition(t *testing.T) {
	is := func(state State) func(*part) { return func(p *part) { p.state = state } }
	for name, test := range map[string]struct {
		before State
		fails  error
		then   func(*part)
		did    int
		err    error
	}{
		"made already":                  {State{}, errExists, is(State{Exists: true, Ours: true}), 1, nil},
		"made half":                     {State{}, errExists, func(p *part) { p.state, p.fails = State{Exists: true, Ours: true, Changes: change}, nil }, 2, nil},
		"made already, and differently": {State{}, errExists, is(State{Exists: true, Changes: change}), 1, errDifferent},
		"made already, and wrong":       {State{}, errExists, is(State{Exists: true, Problem: "wrong"}), 1, errors.New("wrong")},
		"not seen yet":                  {State{}, errExists, func(p *part) { p.then = nil; p.state = State{}; p.fails = nil }, 2, nil},
		"busy when made":                {State{}, errBusy, func(p *part) { p.fails = nil }, 2, nil},
		"busy when changed":             {State{Exists: true, Changes: change}, errBusy, func(p *part) { p.fails = nil }, 2, nil},
		"not found when changed":        {State{Exists: true, Changes: change}, errNotFound, nil, 1, errNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			p := &part{name: "a", state: test.before, fails: test.fails, then: test.then}
			c := &parts{all: []*part{p}, classes: classes}
			plan, err := NewPlan(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Apply(t.Context(), func(Step) {}); (test.err == nil) != (err == nil) || test.err != nil && !strings.Contains(err.Error(), test.err.Error()) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			if len(c.log) != test.did {
				t.Errorf("it did %v, want %d attempts", c.log, test.did)
			}
		})
	}
	for name, test := range map[string]struct {
		fails error
		did   int
	}{"gone": {errNotFound, 1}, "in use for a while": {errBusy, 2}} {
		c := &parts{classes: classes, all: []*part{{name: "a", state: State{Exists: true, Ours: true}, fails: test.fails, then: func(p *part) { p.fails = nil }}}}
		plan, err := NewDeletion(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Apply(t.Context(), func(Step) {}); err != nil || len(c.log) != test.did {
			t.Errorf("%s: got %v after %v", name, err, c.log)
		}
	}
}

// TestBusyForGood ends when patience does.
func TestBusyForGood(t *testing.T) {
	c := &parts{classes: classes, all: []*part{{name: "a", fails: errBusy}}}
	plan, err := NewPlan(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Apply(t.Context(), func(Step) {})
	if err == nil || !strings.Contains(err.Error(), "busy") || len(c.log) < 3 {
		t.Errorf("got %v after %d attempts", err, len(c.log))
	}
}

// TestStale goes last when the rest is made, and first when all is deleted.
func TestStale(t *testing.T) {
	old := State{Exists: true, Ours: true}
	c := &parts{all: []*part{{name: "new"}}, gone: []*part{{name: "old-1", state: old}, {name: "old-2", state: old}, {name: "old-3"}, {name: "old-4", state: State{Exists: true, Keep: "b needs it"}}}}
	for _, test := range []struct {
		plan func(context.Context, Cloud) (*Plan, error)
		did  []string
	}{{NewPlan, []string{"create new", "delete old-1", "delete old-2"}}, {NewDeletion, []string{"delete old-1", "delete old-2"}}} {
		c.log = nil
		plan, err := test.plan(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Apply(t.Context(), func(Step) {}); err != nil || !slices.Equal(c.log, test.did) {
			t.Errorf("got %v, it did %v, want %v", err, c.log, test.did)
		}
		if got := text(plan); !strings.Contains(got, "  = part  old-4: kept, b needs it\n") {
			t.Errorf("got %s", got)
		}
	}
}

// shared is a part that asks whether it can go.
type shared struct {
	*part
	asked *[]string
	why   string
}

func (s *shared) Keep(context.Context) (string, error) {
	*s.asked = append(*s.asked, s.name)
	return s.why, nil
}

// TestKeepIsAskedOfWhatWouldGo in a deletion, and of the last first.
func TestKeepIsAskedOfWhatWouldGo(t *testing.T) {
	var asked, log []string
	ours := State{Exists: true, Ours: true}
	c := &sharing{parts: &parts{}}
	for _, s := range []*shared{
		{part: &part{name: "a", state: ours}, why: "b needs it"}, {part: &part{name: "b", state: ours}},
		{part: &part{name: "theirs", state: State{Exists: true}}}, {part: &part{name: "absent"}},
	} {
		s.asked, s.log = &asked, &log
		c.all = append(c.all, s)
	}
	if _, err := NewPlan(t.Context(), c); err != nil || len(asked) > 0 {
		t.Errorf("got %v, and %v were asked", err, asked)
	}
	plan, err := NewDeletion(t.Context(), c)
	if err != nil || !slices.Equal(asked, []string{"b", "a"}) {
		t.Errorf("got %v, and %v were asked", err, asked)
	}
	if got := text(plan); !strings.Contains(got, "  - part  b\n  = part  a: kept, b needs it\n1 to delete") {
		t.Errorf("got %s", got)
	}
}

type sharing struct {
	*parts
	all []Resource
}

func (c *sharing) Resources() []Resource { return c.all }

func TestWhatIsOnlyLookedUpIsNeverChanged(t *testing.T) {
	for _, test := range []struct {
		state   State
		problem string
	}{{State{Exists: true, Ours: true, Changes: change}, ""}, {State{}, "place far: it is not there"}} {
		c := &placeOnly{parts: &parts{}, place: &lookedUp{test.state}}
		plan, err := NewPlan(t.Context(), c)
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
			continue
		}
		deletion, errDelete := NewDeletion(t.Context(), c)
		if err != nil || errDelete != nil || plan.Pending()+deletion.Pending() > 0 {
			t.Errorf("got %v, %v, %s%s", err, errDelete, text(plan), text(deletion))
		}
	}
}

type placeOnly struct {
	*parts
	place Resource
}

func (c *placeOnly) Resources() []Resource { return []Resource{c.place} }

func TestCommands(t *testing.T) {
	c := cloudOf()
	c.gone = []*part{{name: "it's old", state: State{Exists: true, Ours: true}}}
	plan, err := NewPlan(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := plan.WriteCommands(&b); err != nil {
		t.Fatal(err)
	}
	want := `# a test: 1 to create, 2 to change, 1 to delete
set -e
export REGION=here

# create part absent
create absent

# change part different (id-1)
change different

# change part ours
change ours

# delete part it's old
delete 'it'\''s old'
`
	if b.String() != want || len(c.log) > 0 {
		t.Errorf("got\n%s\nwant\n%s\nand it did %v", b.String(), want, c.log)
	}
}

func TestStatus(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := Status{
		Where: "a test", Kind: "load balancer", Name: "kubernetes", State: "active", Addresses: []string{"lb.example.com"},
		Listeners: []Listener{{"tcp", "6443", "tcp/6443", true}, {"tcp", "443", "tcp/8443", false}},
		Targets:   []InstanceHealth{{Name: "controller-0", ID: "i-0", InService: true, State: "InService", Machine: "running", MachineSince: &since, Ours: true}},
	}
	var b strings.Builder
	s.WriteText(&b)
	want := `load balancer kubernetes in a test: active
  address   lb.example.com
  listener  tcp/6443            → tcp/6443
  listener  tcp/443             → tcp/8443  not the controllers'
  target    controller-0 (i-0)  InService   running since 2026-01-02T03:04:05Z
`
	if got := strings.ReplaceAll(b.String(), "  \n", "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for name, change := range map[string]func(*Status){
		"no address":    func(s *Status) { s.Addresses = nil },
		"no listener":   func(s *Status) { s.Listeners = s.Listeners[1:] },
		"none healthy":  func(s *Status) { s.Targets[0].InService = false },
		"only others'":  func(s *Status) { s.Targets[0].Ours = false },
		"nothing there": func(s *Status) { *s = Status{} },
	} {
		other := s
		other.Targets = slices.Clone(s.Targets)
		change(&other)
		b.Reset()
		other.WriteText(&b)
		if !s.Serving() || other.Serving() || !strings.HasSuffix(b.String(), "no client is served\n") {
			t.Errorf("%s: %s", name, b.String())
		}
	}
}
