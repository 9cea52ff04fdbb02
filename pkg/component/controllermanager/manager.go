// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"
	"net/http"
	"time"

	v1core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/leaderelection"
	genericcontrollermanager "k8s.io/controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/config"

	"github.com/khw-controller/khw-controller/pkg/component/serving"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// staleAfter is how long after its expiry an own lease makes /healthz fail, as
// in the stock Run.
const staleAfter = 20 * time.Second

// Manager is the Runner of kube-controller-manager.
type Manager struct {
	options *Options
}

// New returns the controller-manager with the given options.
func New(o *Options) *Manager { return &Manager{options: o} }

// Run serves the secure port and contends for the lease until ctx ends.
func (m *Manager) Run(ctx context.Context, report supervisor.Report) error {
	servingCtx, stopServing := context.WithCancel(context.Background())
	defer stopServing()
	c, err := m.options.configure(servingCtx)
	if err != nil {
		return err
	}
	c.EventBroadcaster.StartStructuredLogging(0)
	c.EventBroadcaster.StartRecordingToSink(&v1core.EventSinkImpl{Interface: c.Client.CoreV1().Events("")})
	defer c.EventBroadcaster.Shutdown()

	t := &candidate{config: c, handler: &serving.Handler{}, watchdog: leaderelection.NewLeaderHealthzAdaptor(staleAfter)}
	t.standBy()
	wait, err := serving.Start(servingCtx, c.SecureServing, t.protected())
	if err != nil {
		return err
	}
	defer wait()
	defer stopServing()

	if !c.ComponentConfig.Generic.LeaderElection.LeaderElect {
		return election.RunAlone(ctx, t, report)
	}
	client, err := election.NewClient(c.Kubeconfig, c.ComponentConfig.Generic.LeaderElection.RenewDeadline.Duration)
	if err != nil {
		return err
	}
	runner, err := election.NewRunner(election.Config{
		LeaderElectionConfiguration: c.ComponentConfig.Generic.LeaderElection,
		Client:                      client,
		Recorder:                    c.EventRecorder,
		WatchDog:                    t.watchdog,
	}, t)
	if err != nil {
		return err
	}
	return runner.Run(ctx, report)
}

// candidate makes the terms of one Manager.
type candidate struct {
	config   *config.CompletedConfig
	handler  *serving.Handler
	watchdog *leaderelection.HealthzAdaptor
}

// protected is what the secure port serves: the current term's handler behind
// authentication and authorization.
func (t *candidate) protected() http.Handler {
	return genericcontrollermanager.BuildHandlerChain(t.handler, &t.config.Authorization, &t.config.Authentication)
}
