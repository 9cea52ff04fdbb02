// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/config"

	"github.com/khw-controller/khw-controller/pkg/component/serving"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// staleAfter is how long after its expiry an own lease makes /healthz fail, as
// in the stock Run.
const staleAfter = 20 * time.Second

// Scheduler is the Runner of kube-scheduler.
type Scheduler struct {
	options *Options
}

// New returns the scheduler with the given options.
func New(o *Options) *Scheduler { return &Scheduler{options: o} }

// Run serves the secure port and contends for the lease until ctx ends.
func (s *Scheduler) Run(ctx context.Context, report supervisor.Report) error {
	servingCtx, stopServing := context.WithCancel(context.Background())
	defer stopServing()
	shared, err := s.configure(servingCtx)
	if err != nil {
		return err
	}
	shared.EventBroadcaster.StartRecordingToSink(servingCtx.Done())
	defer shared.EventBroadcaster.Shutdown()
	c := &candidate{
		options: s.options,
		shared:  shared,
		handler: &serving.Handler{},
	}
	if shared.ComponentConfig.LeaderElection.LeaderElect {
		c.watchdog = leaderelection.NewLeaderHealthzAdaptor(staleAfter)
	}
	c.standBy()
	wait, err := serving.Start(servingCtx, shared.SecureServing, c.protected())
	if err != nil {
		return err
	}
	defer wait()
	defer stopServing()

	if !shared.ComponentConfig.LeaderElection.LeaderElect {
		return election.RunAlone(ctx, c, report)
	}
	client, err := election.NewClient(shared.KubeConfig, shared.ComponentConfig.LeaderElection.RenewDeadline.Duration)
	if err != nil {
		return err
	}
	runner, err := election.NewRunner(election.Config{
		LeaderElectionConfiguration: shared.ComponentConfig.LeaderElection,
		Client:                      client,
		Recorder:                    shared.EventBroadcaster.DeprecatedNewLegacyRecorder(schedulerName(shared)),
		WatchDog:                    c.watchdog,
	}, c)
	if err != nil {
		return err
	}
	return runner.Run(ctx, report)
}

// configure opens the secure port and makes the configuration that all terms
// share.
func (s *Scheduler) configure(ctx context.Context) (*config.Config, error) {
	options, err := s.options.fresh()
	if err != nil {
		return nil, err
	}
	if errs := options.Validate(); len(errs) > 0 {
		return nil, utilerrors.NewAggregate(errs)
	}
	c, err := options.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("configuring: %w", err)
	}
	return c, nil
}

// schedulerName is under which name elections are recorded, as in the stock
// Options.Config.
func schedulerName(c *config.Config) string {
	if len(c.ComponentConfig.Profiles) > 0 {
		return c.ComponentConfig.Profiles[0].SchedulerName
	}
	return corev1.DefaultSchedulerName
}
