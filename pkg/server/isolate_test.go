// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// unreachable is for an end of the process that must not come.
func unreachable(t *testing.T) func(string) {
	return func(reason string) { t.Errorf("the process would end: %s", reason) }
}

// troubled is a Runner that misbehaves on a goroutine of its own in its first
// run.
type troubled struct {
	misbehave func()
	runs      int
}

func (r *troubled) Run(ctx context.Context, report supervisor.Report) error {
	if r.runs++; r.runs == 1 {
		go r.misbehave()
	}
	report(supervisor.Running, "")
	<-ctx.Done()
	return nil
}

func TestTroubleOnAForeignGoroutineRestartsItsComponentOnly(t *testing.T) {
	tests := map[string]struct {
		misbehave func()
		reason    string
	}{
		"a panic that HandleCrash would throw again": {
			func() {
				defer utilruntime.HandleCrash()
				panic("index out of range")
			}, "panic: index out of range",
		},
		"klog.FlushAndExit": {func() { klog.FlushAndExit(time.Second, 1) }, "exit code 1"},
		"klog.Fatal":        {func() { klog.Fatal("no way on") }, "exit code 255"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			const component = "kube-scheduler"
			s, err := supervisor.New(supervisor.Component{
				Name: component,
				Runner: supervisor.WithRestart(&troubled{misbehave: test.misbehave},
					wait.Backoff{Duration: time.Millisecond, Factor: 1, Steps: 10}),
			})
			if err != nil {
				t.Fatal(err)
			}
			handlers, exit := utilruntime.PanicHandlers, klog.OsExit
			defer func() { utilruntime.PanicHandlers, klog.OsExit = handlers, exit }()
			(&isolation{supervisor: s, fatal: unreachable(t)}).install()

			again := make(chan supervisor.Status, 1)
			s.Subscribe(func(e supervisor.Event) {
				if e.Restarts == 1 && e.State == supervisor.Running {
					again <- e.Status
				}
			})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- s.Run(ctx) }()
			select {
			case status := <-again:
				if !strings.Contains(status.LastFailure, test.reason) {
					t.Errorf("the reason is %q, want %q", status.LastFailure, test.reason)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("it was not restarted: %+v", s.Statuses())
			}
			cancel()
			if err := <-result; err != nil {
				t.Error(err)
			}
		})
	}
}

// takesAStopForAFailure is a Runner that wants to end the process when it is
// stopped.
type takesAStopForAFailure struct{}

func (takesAStopForAFailure) Run(ctx context.Context, report supervisor.Report) error {
	report(supervisor.Running, "")
	<-ctx.Done()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		klog.FlushAndExit(time.Second, 1)
	}()
	<-ended
	return nil
}

func TestAStopIsNoFailure(t *testing.T) {
	s, err := supervisor.New(supervisor.Component{Name: "kube-apiserver", Critical: true, Runner: takesAStopForAFailure{}})
	if err != nil {
		t.Fatal(err)
	}
	exit := klog.OsExit
	defer func() { klog.OsExit = exit }()
	klog.OsExit = (&isolation{supervisor: s, fatal: unreachable(t)}).onExit
	ctx, cancel := context.WithCancel(context.Background())
	s.Subscribe(func(e supervisor.Event) {
		if e.State == supervisor.Running {
			cancel()
		}
	})
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}
