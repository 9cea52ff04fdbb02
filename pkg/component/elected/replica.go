// SPDX-License-Identifier: Apache-2.0

// Package elected runs one replica of a component of which one acts at a time:
// its secure port is open for as long as it runs, leader or not, and its terms
// begin and end with its lease. The stock kube-scheduler and
// kube-controller-manager do this each in its own Run.
package elected

import (
	"context"
	"net/http"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	componentbaseconfig "k8s.io/component-base/config"
	genericcontrollermanager "k8s.io/controller-manager/app"

	"github.com/khw-controller/khw-controller/pkg/component/serving"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// staleAfter is how long after its expiry an own lease makes /healthz fail, as
// in the stock Run functions.
const staleAfter = 20 * time.Second

// Config is what a component's stock flags came to.
type Config struct {
	Component lab.Component
	// ConfigzName is under which name its terms register their configuration.
	ConfigzName string

	// LeaderElection names the lease; without LeaderElect there is none, and the
	// user answers for there being one replica.
	LeaderElection componentbaseconfig.LeaderElectionConfiguration
	// Kubeconfig is how the lease is reached; nothing of a term may use it.
	Kubeconfig *restclient.Config
	// Health is told how the replica is doing.
	Health *Health
	// Process is the one that the replica is in.
	Process election.Process
	// Recorder records who became leader.
	Recorder resourcelock.EventRecorder

	// SecureServing holds the open port, or is nil (--secure-port=0).
	SecureServing  *genericapiserver.SecureServingInfo
	Authentication *genericapiserver.AuthenticationInfo
	Authorization  *genericapiserver.AuthorizationInfo
}

// Replica is one replica of a component.
type Replica struct {
	config   Config
	handler  serving.Handler
	watchdog *leaderelection.HealthzAdaptor // nil without an election
}

// New returns the replica that c describes.
func New(c Config) *Replica {
	r := &Replica{config: c}
	if c.LeaderElection.LeaderElect {
		r.watchdog = leaderelection.NewLeaderHealthzAdaptor(staleAfter)
	}
	return r
}

// Serve makes the secure port answer by h from now on, behind authentication
// and authorization. Before the first call it answers 503.
func (r *Replica) Serve(h http.Handler) { r.handler.Set(h) }

// HealthChecks returns the checks of every replica's /healthz: that of its lease.
func (r *Replica) HealthChecks() []healthz.HealthChecker {
	if r.watchdog == nil {
		return nil
	}
	return []healthz.HealthChecker{r.watchdog}
}

// Run serves the secure port and leads one term after the other until ctx ends.
// It returns an error when the port cannot be served or a term failed.
func (r *Replica) Run(ctx context.Context, newTerm NewTerm, report supervisor.Report) error {
	// Health is asked to the very end: the port closes after the last term.
	serve, closePort := context.WithCancel(context.WithoutCancel(ctx))
	defer closePort()
	protected := genericcontrollermanager.BuildHandlerChain(&r.handler, r.config.Authorization, r.config.Authentication)
	wait, err := serving.Start(serve, r.config.SecureServing, protected)
	if err != nil {
		return err
	}
	defer wait()
	defer closePort()
	return r.lead(ctx, &candidate{config: &r.config, newTerm: newTerm}, report)
}

func (r *Replica) lead(ctx context.Context, c *candidate, report supervisor.Report) error {
	settings := r.config.LeaderElection
	if !settings.LeaderElect {
		return election.RunAlone(ctx, c, report)
	}
	kubeconfig := restclient.CopyConfig(r.config.Kubeconfig)
	kubeconfig.Wrap(r.config.Health.Rights.Wrap)
	client, err := election.NewClient(kubeconfig, settings.RenewDeadline.Duration)
	if err != nil {
		return err
	}
	runner, err := election.NewRunner(election.Config{
		LeaderElectionConfiguration: settings,
		Client:                      client,
		Recorder:                    r.config.Recorder,
		WatchDog:                    r.watchdog,
		Health:                      &r.config.Health.Lease,
		Process:                     r.config.Process,
		Hindered:                    r.config.Health.Rights.Healthy,
	}, c)
	if err != nil {
		return err
	}
	return runner.Run(ctx, report)
}
