// SPDX-License-Identifier: Apache-2.0

// Package evaluation does with the components' command lines what the components
// themselves do before they serve, and tells what stands in the way. What that
// sets is process-wide (feature gates, metrics, admission's registries), so it is
// done in a child process: the same binary, asked by [InChild].
package evaluation

import (
	"context"
	"errors"
	"os"
	"strings"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/component/scheduler"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Request is what is evaluated.
type Request struct {
	// Argv are the components' command lines.
	Argv map[lab.Component][]string `json:"argv"`
	// SchedulerConfig is the scheduler's configuration. Its flag is added here: the
	// file that Argv would name exists in the asking process only.
	SchedulerConfig []byte `json:"schedulerConfig"`
}

// Failure is one reason for which a component would not start.
type Failure struct {
	Component lab.Component `json:"component"`
	// Reason is the component's own error, in one line.
	Reason string `json:"reason"`
}

// Evaluate evaluates r in this process, which must be of no other use.
func Evaluate(ctx context.Context, r Request) []Failure {
	var failures []Failure
	for _, c := range []struct {
		component lab.Component
		evaluate  func(context.Context, []string) error
	}{
		// The apiserver's flags have the feature gates, which hold for all.
		{lab.APIServer, apiserver.Evaluate},
		{lab.ControllerManager, controllermanager.Evaluate},
		{lab.Scheduler, r.evaluateScheduler},
	} {
		// Some constructors answer a value that they did not expect with a panic.
		err := supervisor.Guard(func() error { return c.evaluate(ctx, r.Argv[c.component]) })
		for _, reason := range reasons(err) {
			failures = append(failures, Failure{c.component, reason})
		}
	}
	return failures
}

func (r Request) evaluateScheduler(ctx context.Context, argv []string) error {
	f, err := os.CreateTemp("", "kube-scheduler-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(r.SchedulerConfig); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return scheduler.Evaluate(ctx, append(argv[:len(argv):len(argv)], "--config="+f.Name()))
}

// reasons lists what an error is made of, each in one line and once.
func reasons(err error) []string {
	if err == nil {
		return nil
	}
	all := []error{err}
	var aggregate utilerrors.Aggregate
	if errors.As(err, &aggregate) {
		all = utilerrors.Flatten(aggregate).Errors()
	}
	var lines []string
	for _, e := range all {
		lines = append(lines, strings.Join(strings.Fields(e.Error()), " "))
	}
	return lines
}
