// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/config"

	"github.com/khw-controller/khw-controller/pkg/component/elected"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Scheduler is the Runner of kube-scheduler.
type Scheduler struct {
	options *Options
	// LeaseHealth is what the supervisor asks for its health.
	election.LeaseHealth
}

// New returns the scheduler with the given options.
func New(o *Options) *Scheduler { return &Scheduler{options: o} }

// Run serves the secure port and contends for the lease until ctx ends.
func (s *Scheduler) Run(ctx context.Context, report supervisor.Report) error {
	shared, end := context.WithCancel(context.WithoutCancel(ctx)) // by all terms
	defer end()
	c, err := s.configure(shared)
	if err != nil {
		return err
	}
	c.EventBroadcaster.StartRecordingToSink(shared.Done())
	defer c.EventBroadcaster.Shutdown()
	r := &replica{options: s.options, config: c, Replica: elected.New(elected.Config{
		Component:      lab.Scheduler,
		ConfigzName:    configzName,
		LeaderElection: c.ComponentConfig.LeaderElection,
		Kubeconfig:     c.KubeConfig,
		Recorder:       c.EventBroadcaster.DeprecatedNewLegacyRecorder(schedulerName(c)),
		Lease:          &s.LeaseHealth,
		SecureServing:  c.SecureServing,
		Authentication: &c.Authentication,
		Authorization:  &c.Authorization,
	})}
	r.standBy()
	return r.Run(ctx, r.newTerm, report)
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
