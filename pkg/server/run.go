// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/component/metrics"
	"github.com/khw-controller/khw-controller/pkg/crash"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/etcdbalancer"
	"github.com/khw-controller/khw-controller/pkg/healthz"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/lifecycle"
	"github.com/khw-controller/khw-controller/pkg/logging"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Run carries the plan out until ctx ends, telling n how it goes, and returns nil
// after an orderly stop. It writes nothing before all checks have passed, but for the
// end of a change of the lab's files that was interrupted.
func Run(ctx context.Context, p *plan.Plan, n notify.Notifier, r Reloads) (err error) {
	defer logging.Flush()
	if err := applyProcessWide(p); err != nil {
		// In the words of check, which finds that too.
		_, found := mustPass(ctx, p)
		return cmp.Or(found, err)
	}
	limitMemory(p)
	for _, n := range p.Notices {
		klog.InfoS("Notice", "text", n)
	}
	klog.InfoS("Advertising this controller", "address", p.Address.IP, "source", p.Address.Source)
	finished, err := p.FinishChange()
	if err != nil {
		return err
	}
	if len(finished) > 0 {
		klog.InfoS("Finished a change of the lab's files that was interrupted", "files", finished)
	}
	waits, err := mustPass(ctx, p)
	if ctx.Err() != nil {
		return nil // a check that a stop has ended has found nothing
	}
	if err != nil {
		return err
	}
	lock, err := instance.Acquire(p.Path(paths.Lock))
	if err != nil {
		return err
	}
	defer func() {
		lock.Failed(err)
		err = errors.Join(err, lock.Close())
	}()
	reporter, err := enableCrashReports(p.Path(paths.Crash), lock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reporter.Close()) }()
	if err := p.GenerateMissing(); err != nil {
		return err
	}
	if why := p.Unaudited(); why != "" {
		klog.InfoS("Nothing is audited", "reason", why)
	}
	process := election.Process{ID: lock.ID(), Predecessor: lock.Predecessor()}
	return supervise(ctx, p, process, reporter, n, r, waits)
}

// mustPass makes every check and returns the errors found, one line each, and
// whether there is something to wait for.
func mustPass(ctx context.Context, p *plan.Plan) (waits bool, err error) {
	waitsFor, warnings, err := judged(preflight.Check(ctx, p, preflight.Options{Now: time.Now()}))
	for _, f := range warnings {
		klog.InfoS("Warning", "text", f.String())
	}
	return len(waitsFor) > 0, err // told by who waits
}

func enableCrashReports(path string, lock *instance.Lock) (*crash.Reporter, error) {
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

// supervise runs the components, and everything that watches them, until ctx ends
// and all have stopped. Where it waits, what time can mend is waited for first.
func supervise(ctx context.Context, p *plan.Plan, process election.Process, reporter *crash.Reporter, n notify.Notifier, r Reloads, waits bool) error {
	fatal := func(reason string) { die(reporter, reason) }
	var member *etcd.Member
	var toEtcd apiserver.Etcd
	if p.Etcd != nil {
		member = etcd.New(p.Etcd, func(reason string) { fatal("etcd: " + reason) }, p.RepairEtcd)
		member.OnOutage = logging.Outage
		toEtcd.Local = member.Dial
	}
	balancer := etcdbalancer.New(p.EtcdAccess, p.EtcdOverrides()...)
	if balancer != nil {
		toEtcd.Members = balancer.Dial
		balancer.OnOutage = logging.Outage
	}
	apiServer := apiserver.New(p.APIServer, toEtcd)
	bootstrap := newBootstrap(p, apiServer, process)
	var ready lifecycle.Readiness
	leave := &departure{checkers: healthz.NewCheckers(p.Config.HealthzUnhealthyThreshold), configured: p.Config.ShutdownDelay}
	all, leases := components(p, member, apiServer, bootstrap, process, ready.NotReady, leave)
	waiting := newWaiting(p)
	if waits {
		all = afterWaiting(all, waiting)
	}
	s, err := supervisor.New(all...)
	if err != nil {
		return err
	}
	(&isolation{supervisor: s, fatal: fatal}).install()
	life := lifecycle.New(n, s.Statuses(), &ready)
	defer life.Close()
	leave.over = life.EndWait
	go newPace(p.GCPercent).run(ctx)
	files := newFileWatch(p, r.Plan)
	for _, subscriber := range []func(supervisor.Event){logEvent, ready.OnEvent, life.OnEvent, files.onEvent} {
		s.Subscribe(subscriber)
	}
	observer, err := newObserver(p, s.Statuses, apiServer.LoopbackClient, life, files, leave)
	if err != nil {
		return err
	}
	observer.strain = strain{plan: p, leases: leases}
	follower := newFollower(p, apiServer, observer.node, files.onReread)
	observer.rotation = follower.Warning
	legacyregistry.Registerer().MustRegister(observer)
	apiServer.SetPage(status.Path, status.Handler(observer.report))
	apiServer.SetPage(metrics.Path, metrics.Page(lab.APIServer))

	// Observed and watched to the very end, when ctx has long been over.
	alive, ended := context.WithCancel(context.Background())
	var observing sync.WaitGroup
	defer observing.Wait() // which takes the socket away
	defer ended()
	observing.Go(func() { observer.run(alive) })
	if balancer != nil {
		go balancer.Run(alive)
	}
	go (&watchdog{interval: n.WatchdogInterval(), tell: n.Alive, statuses: s.Statuses, ping: apiServer.Alive}).run(alive)
	go observer.strain.pauses.run(alive)
	go life.ExtendStart(ctx, waiting.Checks)
	go newReloader(p, r.Plan, bootstrap.Reapply, files.onReload).serve(ctx, r.Requested, life.Reloading)

	running, stop := context.WithCancel(context.Background())
	defer stop()
	// These ask the apiserver, and leave off before it stops.
	go newExpiry(p, observer.node, apiServer.LoopbackClient).run(running)
	go rotateCA(running, p)
	go follower.Run(running)
	context.AfterFunc(ctx, func() {
		defer stop()
		logging.Stopping()
		life.BeginStop(leave.begin)
	})
	if member != nil && member.Alone() && !waits {
		go apiServer.Load() // while etcd starts, which others could keep waiting
	}
	return s.Run(running)
}
