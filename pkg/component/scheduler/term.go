// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"context"
	"fmt"

	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/profile"

	"github.com/khw-controller/khw-controller/pkg/component/elected"
	"github.com/khw-controller/khw-controller/pkg/election"
)

// configzName is under which the stock app.Run registers its configuration.
const configzName = "componentconfig"

// replica is one Scheduler while it runs, with what all its terms share.
type replica struct {
	*elected.Replica
	parent *Scheduler
	config *config.Config
}

// term is one term: clients behind its fence, and full caches.
type term struct {
	*replica
	name      *cache.InformerName
	config    config.CompletedConfig
	scheduler *scheduler.Scheduler
}

func (r *replica) newTerm(name *cache.InformerName) elected.Term {
	return &term{replica: r, name: name}
}

// Prepare makes a scheduler and fills its caches, as a stock standby does.
func (t *term) Prepare(ctx context.Context, fence *election.Fence) error {
	options, err := t.parent.options.fresh()
	if err != nil {
		return err
	}
	options.SecureServing.BindPort = 0 // the port outlives the term
	c, err := t.parent.apply(ctx, options)
	if err != nil {
		return fmt.Errorf("configuring a term: %w", err)
	}
	if err := t.putBehind(ctx, fence, c); err != nil {
		return err
	}
	t.config = c.Complete()
	if t.scheduler, err = newScheduler(ctx, &t.config); err != nil {
		return err
	}
	t.config.InformerFactory.Start(ctx.Done())
	t.config.DynInformerFactory.Start(ctx.Done())
	t.config.InformerFactory.WaitForCacheSync(ctx.Done())
	t.config.DynInformerFactory.WaitForCacheSync(ctx.Done())
	if err := t.scheduler.WaitForHandlersSync(ctx); err != nil {
		return fmt.Errorf("filling its caches: %w", err)
	}
	t.Serve(t.newMux(pages{synced: true, pods: t.config.InformerFactory}))
	return nil
}

// putBehind has every client in c pass through fence, and leaves out what outlives a
// term.
func (t *term) putBehind(ctx context.Context, fence *election.Fence, c *config.Config) error {
	c.KubeConfig.Wrap(t.parent.Rights.Wrap)
	c.KubeConfig.Wrap(fence.Wrap)
	// The election and the port are held around the term: the stock Run skips
	// both, and with them its exits, when they are off.
	c.ComponentConfig.LeaderElection.LeaderElect = false
	c.SecureServing = nil
	return setClients(ctx, c, t.name)
}

// newScheduler is the second half of what the stock command does before it runs
// (cmd/kube-scheduler/app/server.go, Setup), which cannot be handed clients.
func newScheduler(ctx context.Context, c *config.CompletedConfig) (*scheduler.Scheduler, error) {
	recorders := profile.RecorderFactory(func(name string) events.EventRecorderLogger {
		return c.EventBroadcaster.NewRecorder(name)
	})
	return scheduler.New(ctx, c.Client, c.InformerFactory, c.DynInformerFactory, recorders,
		scheduler.WithComponentConfigVersion(c.ComponentConfig.APIVersion),
		scheduler.WithKubeConfig(c.KubeConfig),
		scheduler.WithProfiles(c.ComponentConfig.Profiles...),
		scheduler.WithPercentageOfNodesToScore(c.ComponentConfig.PercentageOfNodesToScore),
		scheduler.WithFrameworkOutOfTreeRegistry(runtime.Registry{}),
		scheduler.WithPodMaxBackoffSeconds(c.ComponentConfig.PodMaxBackoffSeconds),
		scheduler.WithPodInitialBackoffSeconds(c.ComponentConfig.PodInitialBackoffSeconds),
		scheduler.WithPodMaxInUnschedulablePodsDuration(c.PodMaxInUnschedulablePodsDuration),
		scheduler.WithExtenders(c.ComponentConfig.Extenders...),
		scheduler.WithParallelism(c.ComponentConfig.Parallelism),
	)
}

// Lead schedules until ctx ends: the stock component (cmd/kube-scheduler/app/server.go,
// Run) without its leader election, its port (which stays open between terms) and so
// without its exits.
func (t *term) Lead(ctx context.Context, acting func()) error {
	t.Serve(t.newMux(pages{synced: true, leading: true, pods: t.config.InformerFactory}))
	defer t.standBy()
	acting()
	err := app.Run(ctx, &t.config, t.scheduler)
	if ctx.Err() != nil {
		return nil // "finished without leader elect"
	}
	return err
}

// Close stops the informers.
func (t *term) Close() {
	if t.config.Config != nil {
		t.config.InformerFactory.Shutdown()
		t.config.DynInformerFactory.Shutdown()
	}
}
