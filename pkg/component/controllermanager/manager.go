// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"

	v1core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/transport"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"

	"github.com/khw-controller/khw-controller/pkg/component/elected"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Manager is the Runner of kube-controller-manager.
type Manager struct {
	options *Options
	wrap    transport.WrapperFunc
	// Process is the one that it runs in, and is set before Run.
	Process election.Process
	// Health is what the supervisor asks for its health.
	elected.Health
}

// New returns the controller-manager with the given options; all that it asks the
// apiserver goes through wrap.
func New(o *Options, wrap transport.WrapperFunc) *Manager { return &Manager{options: o, wrap: wrap} }

// Run serves the secure port and contends for the lease until ctx ends.
func (m *Manager) Run(ctx context.Context, report supervisor.Report) error {
	m.Rights.Forget()
	shared, end := context.WithCancel(context.WithoutCancel(ctx)) // by all terms
	defer end()
	c, err := m.options.configure(shared, m.wrap)
	if err != nil {
		return err
	}
	c.EventBroadcaster.StartStructuredLogging(0)
	c.EventBroadcaster.StartRecordingToSink(&v1core.EventSinkImpl{Interface: c.Client.CoreV1().Events("")})
	defer c.EventBroadcaster.Shutdown()
	r := &replica{config: c, rights: &m.Rights, Replica: elected.New(elected.Config{
		Component:      lab.ControllerManager,
		ConfigzName:    app.ConfigzName,
		LeaderElection: c.ComponentConfig.Generic.LeaderElection,
		Kubeconfig:     c.Kubeconfig,
		Recorder:       c.EventRecorder,
		Health:         &m.Health,
		Process:        m.Process,
		SecureServing:  c.SecureServing,
		Authentication: &c.Authentication,
		Authorization:  &c.Authorization,
	})}
	r.standBy()
	return r.Run(ctx, r.newTerm, report)
}
