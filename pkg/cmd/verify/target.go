// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"strconv"

	"github.com/coreos/go-systemd/v22/util"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// target says where the control plane of a plan is.
func target(p *plan.Plan, kubeconfig, address string) (verify.Target, error) {
	t := verify.Target{
		Kubeconfig: kubeconfig,
		CA:         p.ClientCA.Path,
		Ports: map[string]int{
			"controller-manager": p.ControllerManager.SecureServing.BindPort,
			"scheduler":          p.Scheduler.SecureServing.BindPort,
		},
		KubeletClientCertificate: p.KubeletClient.Cert.Path,
		Etcd:                     p.EtcdAccess,
		EtcdPrefix:               p.EtcdPrefix,
		EncryptionConfig:         p.EncryptionConfig.Path,
		HealthAddress:            p.HealthAddress(),
	}
	if p.Etcd != nil && len(t.Etcd.Endpoints) > 0 {
		t.EmbeddedEtcd = t.Etcd.Endpoints[0]
	}
	var err error
	if t.NoAnonymous, err = noAnonymous(p); err != nil {
		return t, err
	}
	if running, held, err := instance.Holder(p.Path(paths.Lock)); err == nil && held {
		t.PID = running.PID
	}
	if t.Kubeconfig == "" {
		t.Kubeconfig = p.Files.AdminKubeconfig
	}
	if util.IsRunningSystemd() && p.Config.Root == "" {
		t.UnitFiles = verify.Systemctl
	}
	if address == "" {
		return t, nil
	}
	if t.LoadBalancer, err = verify.ParseAddress(address, strconv.Itoa(p.Port)); err != nil {
		return t, cli.Usagef("--address %w", err)
	}
	return t, nil
}
