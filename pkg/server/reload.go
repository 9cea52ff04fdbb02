// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// Reloads is how a running control plane is asked to read its configuration
// again.
type Reloads struct {
	// Requested receives a value for each request to do so.
	Requested <-chan os.Signal
	// Plan plans what the configuration requests now.
	Plan func() (*plan.Plan, error)
}

// reloader takes over what can change while everything runs.
type reloader struct {
	running   *plan.Plan
	verbosity logsapi.VerbosityLevel // in force
	next      func() (*plan.Plan, error)
	reapply   func() // of the manifests
	// done is told which keys wait for a restart.
	done func(needRestart []string)
}

func newReloader(p *plan.Plan, next func() (*plan.Plan, error), reapply func(), done func([]string)) *reloader {
	return &reloader{running: p, verbosity: p.APIServer.Logs.Verbosity, next: next, reapply: reapply, done: done}
}

// serve reloads on each request, until ctx ends; around calls what it is given and
// tells the service manager of it.
func (r *reloader) serve(ctx context.Context, requested <-chan os.Signal, around func(func())) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-requested:
			around(r.reload)
		}
	}
}

// reload reads the configuration again, has the manifests applied again, and says
// in one log line what became of the configuration. An invalid one changes
// nothing.
func (r *reloader) reload() {
	next, err := r.next()
	if err != nil {
		klog.ErrorS(err, "The configuration is invalid; nothing has changed")
		return
	}
	defer next.Close()
	var applied []string
	if v := next.APIServer.Logs.Verbosity; v != r.verbosity {
		if _, err := logs.GlogSetter(strconv.Itoa(int(v))); err != nil {
			klog.ErrorS(err, "The log's verbosity could not be set; nothing has changed")
			return
		}
		r.verbosity = v
		applied = append(applied, fmt.Sprintf("v=%d", v))
	}
	r.reapply()
	kv := []any{"file", next.Config.File, "applied", orNothing(applied)}
	waiting := config.Changed(r.running.Config, next.Config)
	r.done(waiting)
	if len(waiting) > 0 {
		kv = append(kv, "needRestart", strings.Join(waiting, ", "))
	}
	klog.InfoS("Read the configuration again", kv...)
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
