// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"context"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	clientset "k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler"

	"github.com/khw-controller/khw-controller/pkg/component/elected"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Scheduler is the Runner of kube-scheduler.
type Scheduler struct {
	options *Options
	wrap    transport.WrapperFunc
	// Process is the one that it runs in, and is set before Run.
	Process election.Process
	// Health is what the supervisor asks for its health.
	elected.Health
}

// New returns the scheduler with the given options; all that it asks the apiserver
// goes through wrap, which may be nil.
func New(o *Options, wrap transport.WrapperFunc) *Scheduler {
	return &Scheduler{options: o, wrap: wrap}
}

// Run serves the secure port and contends for the lease until ctx ends.
func (s *Scheduler) Run(ctx context.Context, report supervisor.Report) error {
	s.Rights.Forget()
	shared, end := context.WithCancel(context.WithoutCancel(ctx)) // by all terms
	defer end()
	c, err := s.configure(shared)
	if err != nil {
		return err
	}
	c.EventBroadcaster.StartRecordingToSink(shared.Done())
	defer c.EventBroadcaster.Shutdown()
	r := &replica{parent: s, config: c, Replica: elected.New(elected.Config{
		Component:      lab.Scheduler,
		ConfigzName:    configzName,
		LeaderElection: c.ComponentConfig.LeaderElection,
		Kubeconfig:     c.KubeConfig,
		Recorder:       c.EventBroadcaster.DeprecatedNewLegacyRecorder(schedulerName(c)),
		Health:         &s.Health,
		Process:        s.Process,
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
	c, err := s.apply(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("configuring: %w", err)
	}
	return c, setClients(ctx, c, nil)
}

// apply and setClients are the stock configuration (cmd/kube-scheduler/app/options/options.go,
// Options.Config), which cannot be told how the apiserver is reached, without the election, which is held around the terms.
func (s *Scheduler) apply(ctx context.Context, o *options.Options) (*config.Config, error) {
	if err := o.SecureServing.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	o.Authentication.WithCustomRoundTripper(s.wrap)
	o.Authorization.WithCustomRoundTripper(s.wrap)
	c := &config.Config{ComponentGlobalsRegistry: o.ComponentGlobalsRegistry}
	if err := o.ApplyTo(klog.FromContext(ctx), c); err != nil {
		return nil, err
	}
	restclient.AddUserAgent(c.KubeConfig, "scheduler").Wrap(s.wrap)
	return c, nil
}

// setClients makes all that asks the apiserver by c.KubeConfig.
func setClients(ctx context.Context, c *config.Config, informers *cache.InformerName) error {
	client, err := clientset.NewForConfig(c.KubeConfig)
	if err != nil {
		return err
	}
	// Events have a rate limit of their own.
	eventClient, err := clientset.NewForConfig(c.KubeConfig)
	if err != nil {
		return err
	}
	dynamicClient, err := dynamic.NewForConfig(c.KubeConfig)
	if err != nil {
		return err
	}
	c.Client = client
	c.EventBroadcaster = events.NewEventBroadcasterAdapterWithContext(ctx, eventClient)
	c.InformerFactory = scheduler.NewInformerFactory(client, 0, informers)
	c.DynInformerFactory = dynamicinformer.NewFilteredDynamicSharedInformerFactory(dynamicClient, 0, corev1.NamespaceAll, nil)
	return nil
}

// schedulerName is under which name elections are recorded, as in the stock
// Options.Config.
func schedulerName(c *config.Config) string {
	if len(c.ComponentConfig.Profiles) > 0 {
		return c.ComponentConfig.Profiles[0].SchedulerName
	}
	return corev1.DefaultSchedulerName
}
