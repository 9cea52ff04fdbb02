// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// journal records what happened in which order.
type journal struct {
	mu      sync.Mutex
	entries []string
	changed chan struct{}
}

func newJournal() *journal { return &journal{changed: make(chan struct{}, 1000)} }

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	j.entries = append(j.entries, fmt.Sprintf(format, args...))
	j.mu.Unlock()
	j.changed <- struct{}{}
}

func (j *journal) list() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

func (j *journal) await(t *testing.T, entry string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !slices.Contains(j.list(), entry) {
		select {
		case <-j.changed:
		case <-deadline:
			t.Fatalf("%q never happened; did: %q", entry, j.list())
		}
	}
}

// runnerFunc is a Runner made of a function.
type runnerFunc func(ctx context.Context, report Report) error

func (f runnerFunc) Run(ctx context.Context, report Report) error { return f(ctx, report) }

func untilDone(j *journal, name string) Runner {
	return runnerFunc(func(ctx context.Context, report Report) error {
		j.add("start %s", name)
		report(Running, "")
		<-ctx.Done()
		j.add("stop %s", name)
		return nil
	})
}

// quick are timings for tests in which something is given up.
var quick = timings{
	stop:           10 * time.Millisecond,
	delivery:       10 * time.Millisecond,
	probe:          time.Minute,
	readyInterval:  time.Millisecond,
	healthInterval: time.Millisecond,
}

func newSupervisor(t *testing.T, components ...Component) *Supervisor {
	t.Helper()
	s, err := New(components...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t *testing.T, components ...Component) (s *Supervisor, stop func() error) {
	t.Helper()
	s = newSupervisor(t, components...)
	return s, startIt(t, s)
}

func startIt(t *testing.T, s *Supervisor) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- s.Run(ctx) }()
	t.Cleanup(cancel)
	return func() error {
		cancel()
		select {
		case err := <-result:
			return err
		case <-time.After(30 * time.Second):
			t.Fatal("the supervisor did not stop")
			return nil
		}
	}
}

func TestStartsInOrderAndStopsInReverse(t *testing.T) {
	j := newJournal()
	_, stop := start(t,
		Component{Name: "etcd", Runner: untilDone(j, "etcd")},
		Component{Name: "apiserver", Needs: []string{"etcd"}, Runner: untilDone(j, "apiserver")},
		Component{Name: "scheduler", Needs: []string{"apiserver"}, Runner: untilDone(j, "scheduler")},
	)
	j.await(t, "start scheduler")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	want := []string{"start etcd", "start apiserver", "start scheduler", "stop scheduler", "stop apiserver", "stop etcd"}
	if got := j.list(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOutlivesWithoutNeeding(t *testing.T) {
	j := newJournal()
	outlives := []string{"etcd", "apiserver"}
	for name, runner := range map[string]Runner{
		"as ordered": untilDone(j, "etcd"),
		"one failed": runnerFunc(func(context.Context, Report) error {
			j.add("start etcd")
			return errors.New("disk full")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			j.entries = nil
			_, stop := start(t,
				Component{Name: "etcd", Runner: runner},
				Component{Name: "apiserver", Runner: untilDone(j, "apiserver")},
				Component{Name: "health-proxy", Outlives: outlives, Runner: untilDone(j, "health-proxy")},
			)
			for _, c := range []string{"etcd", "apiserver", "health-proxy"} {
				j.await(t, "start "+c)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if got := j.list(); got[len(got)-1] != "stop health-proxy" {
				t.Errorf("got %q, want the health proxy to stop last", got)
			}
		})
	}
	_, stop := start(t,
		Component{Name: "never up", Runner: runnerFunc(func(ctx context.Context, _ Report) error { <-ctx.Done(); return nil })},
		Component{Name: "waits", Needs: []string{"never up"}, Runner: untilDone(j, "waits")},
		Component{Name: "does not", Outlives: []string{"never up", "waits"}, Runner: untilDone(j, "does not")},
	)
	j.await(t, "start does not")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestNeedsMustComeBefore(t *testing.T) {
	for _, components := range [][]Component{
		{{Name: "a", Needs: []string{"b"}}, {Name: "b"}},
		{{Name: "a", Needs: []string{"a"}}},
		{{Name: "a", Outlives: []string{"b"}}, {Name: "b"}},
		{{Name: "a", Outlives: []string{"a"}}},
		{{Name: "a"}, {Name: "b"}, {Name: "c", Needs: []string{"a"}, Outlives: []string{"b"}}},
		{{Name: "a"}, {Name: "a"}},
	} {
		if _, err := New(components...); err == nil {
			t.Errorf("New(%v) was accepted", components)
		}
	}
}

func TestCriticalFailureStopsAllAndIsTheResult(t *testing.T) {
	j := newJournal()
	fail := make(chan struct{})
	s := newSupervisor(t,
		Component{Name: "etcd", Critical: true, Runner: runnerFunc(func(_ context.Context, report Report) error {
			report(Running, "")
			<-fail
			return errors.New("disk full")
		})},
		Component{Name: "apiserver", Needs: []string{"etcd"}, Runner: untilDone(j, "apiserver")},
	)
	result := make(chan error, 1)
	go func() { result <- s.Run(context.Background()) }()
	j.await(t, "start apiserver")
	close(fail)
	if err := <-result; err == nil || err.Error() != "etcd: disk full" {
		t.Errorf("got %v", err)
	}
	j.await(t, "stop apiserver")
}

func TestOrdinaryFailureLeavesTheOthersAlone(t *testing.T) {
	j := newJournal()
	s := newSupervisor(t,
		Component{Name: "apiserver", Runner: untilDone(j, "apiserver")},
		Component{Name: "scheduler", Needs: []string{"apiserver"}, Runner: runnerFunc(func(context.Context, Report) error {
			return errors.New("no kubeconfig")
		})},
	)
	s.Subscribe(func(e Event) { j.add("%s %s", e.Component, e.State) })
	stop := startIt(t, s)
	j.await(t, "start apiserver")
	j.await(t, "scheduler failed")
	if got := s.Statuses()[0].State; got != Running {
		t.Errorf("apiserver is %s", got)
	}
	if err := stop(); err != nil {
		t.Errorf("got %v", err)
	}
}
