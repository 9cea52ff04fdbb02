// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	restclient "k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/crash"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Run carries the plan out until ctx ends, telling n how it goes, and returns nil
// after an orderly stop. It writes nothing before all checks have passed.
func Run(ctx context.Context, p *Plan, n notify.Notifier, r Reloads) (err error) {
	if err := p.applyProcessWide(); err != nil {
		return err
	}
	for _, n := range p.Notices {
		klog.InfoS("Notice", "text", n)
	}
	klog.InfoS("Advertising this controller", "address", p.Address.IP, "source", p.Address.Source)
	if err := p.mustPass(ctx); err != nil {
		return err
	}
	lock, err := instance.Acquire(p.lockPath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	reporter, err := p.enableCrashReports(lock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reporter.Close()) }()
	if err := p.generateMissing(); err != nil {
		return err
	}
	return p.supervise(ctx, reporter, n, r)
}

// applyProcessWide sets what exists once per process: feature gates, logging,
// and the silence about API warnings that the stock commands keep.
func (p *Plan) applyProcessWide() error {
	registry := p.apiServer.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return fmt.Errorf("--feature-gates: %w", err)
	}
	gates := registry.FeatureGateFor("kube")
	if err := logsapi.ValidateAndApply(p.apiServer.Logs, gates); err != nil {
		return fmt.Errorf("--logging-format, --v: %w", err)
	}
	if p.apiServer.Logs.Format == logsapi.DefaultLogFormat {
		useStoryLog(os.Stderr)
	}
	restclient.SetDefaultWarningHandler(restclient.NoWarnings{})
	registry.AddMetrics()
	utilfeature.DefaultMutableFeatureGate.AddMetrics()
	return nil
}

// mustPass makes every check and returns the errors found, one line each.
func (p *Plan) mustPass(ctx context.Context) error {
	var errs []error
	for _, f := range preflight.Run(ctx, p.checkInput()) {
		if f.IsError() {
			errs = append(errs, errors.New(f.String()))
		} else {
			klog.InfoS("Warning", "text", f.String())
		}
	}
	return errors.Join(errs...)
}

func (p *Plan) enableCrashReports(lock *instance.Lock) (*crash.Reporter, error) {
	path := p.Config.Path(crashFile)
	summary, report, err := crash.Previous(path)
	if err != nil {
		return nil, fmt.Errorf("keeping the last crash report: %w", err)
	}
	if previous, unclean := lock.Previous(); unclean {
		kv := []any{"pid", previous.PID, "started", previous.Started.Format(time.RFC3339)}
		if report != "" {
			kv = append(kv, "reason", summary, "report", report)
		}
		klog.ErrorS(nil, "The previous run did not end in order", kv...)
	}
	reporter, err := crash.Enable(path)
	if err != nil {
		return nil, fmt.Errorf("preparing for crash reports: %w", err)
	}
	return reporter, nil
}

func (p *Plan) supervise(ctx context.Context, reporter *crash.Reporter, n notify.Notifier, r Reloads) error {
	isolation := &isolation{reporter: reporter, restarts: map[string]bool{
		string(lab.ControllerManager): true,
		string(lab.Scheduler):         true,
		bootstrapName:                 true,
	}}
	story := &story{notify: n}
	parts := p.newParts()
	s, err := supervisor.New(p.components(parts, isolation, story.held)...)
	if err != nil {
		return err
	}
	isolation.supervisor = s
	isolation.install()
	story.statuses = s.Statuses()
	s.Subscribe(logEvents)
	s.Subscribe(story.onEvent)
	observer, err := newObserver(p, s, parts.apiServer, story)
	if err != nil {
		return err
	}
	defer observer.serve(p.Config.Path(StatusSocket))()
	go story.extendWhileWorking(ctx)
	running, stop := context.WithCancel(context.Background())
	defer stop()
	context.AfterFunc(ctx, func() {
		defer stop()
		story.beginStop(p.Config.ShutdownDelay)
	})
	// Watched to the very end, when ctx has long been over.
	alive, ended := context.WithCancel(context.Background())
	defer ended()
	go (&watchdog{interval: n.WatchdogInterval(), tell: n.Alive, statuses: s.Statuses, ping: parts.apiServer.Alive}).run(alive)
	go newReloader(p, r.Plan, parts.bootstrap.Reapply).serve(ctx, r.Asked, story.reloading)
	return s.Run(running)
}
