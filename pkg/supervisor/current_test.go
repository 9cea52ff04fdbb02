// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"fmt"
	"runtime/pprof"
	"sync"
	"testing"
)

func inComponent(name string, f func(ctx context.Context)) {
	pprof.Do(context.Background(), pprof.Labels(Label, name), f)
}

func TestCurrentComponentOfOneGoroutine(t *testing.T) {
	if got := CurrentComponent(); got != "" {
		t.Errorf("a goroutine of nobody is one of %q", got)
	}
	for _, name := range []string{
		"etcd", "kube-controller-manager", "ünïcode", `"quoted": `, `back\slash`, "}, {", "new\nline\n\nand \x1b", `", "component":"other`,
	} {
		inComponent(name, func(ctx context.Context) {
			if got := CurrentComponent(); got != name {
				t.Errorf("got %q, want %q", got, name)
			}
			pprof.Do(ctx, pprof.Labels("a", `"component":"x"`, "zone", "b\n"), func(context.Context) {
				found := make(chan string)
				go func() { go func() { found <- CurrentComponent() }() }()
				if got := <-found; got != name {
					t.Errorf("with more labels, and inherited: got %q, want %q", got, name)
				}
			})
		})
	}
	pprof.Do(context.Background(), pprof.Labels("other", "etcd"), func(context.Context) {
		if got := CurrentComponent(); got != "" {
			t.Errorf("another label made it one of %q", got)
		}
	})
}

func TestCurrentComponentOfManyAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 300 {
		name := fmt.Sprint("component-", i%3)
		if i%3 == 0 {
			name = ""
		}
		ask := func(context.Context) {
			wg.Go(func() {
				<-begin
				if got := CurrentComponent(); got != name {
					t.Errorf("got %q, want %q", got, name)
				}
			})
		}
		if name == "" {
			ask(context.Background())
		} else {
			inComponent(name, ask)
		}
	}
	close(begin)
	wg.Wait()
}

func TestAllGoroutinesOfAComponentAreItsOwn(t *testing.T) {
	found := make(chan string, 4)
	s := newSupervisor(t, Component{Name: "scheduler", Runner: WithRestart(probed{
		Runner: nthRun(func(n int, ctx context.Context, _ Report) error {
			found <- CurrentComponent()
			if n == 1 {
				return fmt.Errorf("once more")
			}
			go func() { found <- CurrentComponent() }()
			<-ctx.Done()
			return nil
		}),
		ready: func() error { return nil },
		healthy: sync.OnceValue(func() error {
			found <- CurrentComponent()
			return nil
		}),
	}, atOnce)})
	s.timings.healthInterval = quick.healthInterval
	s.Subscribe(func(Event) {
		if got := CurrentComponent(); got != "" {
			t.Errorf("a subscriber is one of %q", got)
		}
	})
	stop := startIt(t, s)
	for range cap(found) {
		if got := <-found; got != "scheduler" {
			t.Errorf("got %q", got)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
